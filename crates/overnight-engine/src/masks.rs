//! The secrets that the runner knows of, taken out of everything that is stored of a command's output. The last net: the
//! first is that agents and checks are not given them.

use std::borrow::Cow;

use overnight_core::redact::Redactor;
use overnight_proc::Redact;

use crate::host::Host;

/// Parts of variable names whose values are secrets.
const TELLING: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY"];

pub(crate) struct Masks(Redactor);

impl Masks {
    /// The values of variables whose names say what they are, and of those that are `named`.
    pub(crate) fn new(host: &Host, named: &[String]) -> Self {
        let secrets: Vec<String> = host
            .env
            .iter()
            .filter(|(name, _)| {
                let plain = name.to_string_lossy();
                let upper = plain.to_ascii_uppercase();
                host.secrets.iter().chain(named).any(|known| *known == plain)
                    || TELLING.iter().any(|part| upper.contains(part))
            })
            .map(|(_, value)| value.to_string_lossy().into_owned())
            .filter(|value| !value.is_empty())
            .collect();
        let (redactor, warnings) = Redactor::new(secrets.iter().map(String::as_str));
        for warning in warnings {
            tracing::warn!(%warning, "a secret cannot be masked");
        }
        Self(redactor)
    }
}

impl Redact for Masks {
    fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redact_line(line)
    }
}
