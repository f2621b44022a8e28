//! Several logins of one vendor: `[agent.accounts.VENDOR.NAME]` in a file.

use std::ops::Range;

use overnight_core::agent::{Account, AccountId, BackendId};
use overnight_core::text::nearest;

use super::file::Mistake;
use super::settings::Input;
use crate::cli::values;

/// One setting of an account.
#[derive(Debug, Clone, Copy)]
pub struct AccountSetting {
    pub key: &'static str,
    pub kind: &'static str,
    pub about: &'static str,
    pub set: fn(&mut Account, &Input<'_>) -> Result<(), String>,
    pub get: fn(&Account) -> Option<String>,
}

/// Every setting below `agent.accounts.<vendor>.<name>`.
pub const ACCOUNT_SETTINGS: &[AccountSetting] = &[
    AccountSetting {
        key: "login_dir",
        kind: "absolute path",
        about: "where the vendor's CLI keeps this login and its sessions",
        set: |account, input| {
            account.login_dir = Some(input.path()?);
            Ok(())
        },
        get: |account| account.login_dir.as_ref().map(|path| path.display().to_string()),
    },
    AccountSetting {
        key: "billing",
        kind: "subscription or key",
        about: "who pays, for this account",
        set: |account, input| {
            account.billing = Some(values::billing(input.text()?)?);
            Ok(())
        },
        get: |account| account.billing.map(|billing| values::billing_word(billing).to_owned()),
    },
    AccountSetting {
        key: "key_env",
        kind: "name",
        about: "environment variable that holds this account's key",
        set: |account, input| {
            account.key_env = Some(input.text()?.to_owned());
            Ok(())
        },
        get: |account| account.key_env.clone(),
    },
    AccountSetting {
        key: "min_quota",
        kind: "per cent, 0 to 100",
        about: "no turn is started below this much of the quota: the rest is kept for people",
        set: |account, input| {
            let per_cent = input.text()?.trim_end_matches('%').trim().parse::<u8>().ok();
            let per_cent = per_cent.filter(|number| *number <= 100);
            account.min_quota = Some(per_cent.ok_or("expected a number from 0 to 100")?);
            Ok(())
        },
        get: |account| account.min_quota.map(|number| number.to_string()),
    },
    AccountSetting {
        key: "probe",
        kind: "list: program and arguments",
        about: "program that prints what is left, as {\"left\": 37, \"reset\": 1900000000}; no shell",
        set: |account, input| {
            account.probe = input.argv()?;
            Ok(())
        },
        get: |account| (!account.probe.is_empty()).then(|| account.probe.join(" ")),
    },
];

/// The account of these names.
///
/// # Errors
/// When there is no such vendor, or the name cannot be one.
pub fn id(vendor: &str, name: &str, span: Range<usize>) -> Result<AccountId, Mistake> {
    let vendors = BackendId::VENDORS.map(BackendId::as_str);
    let Some(backend) = BackendId::find(vendor).filter(|backend| backend.is_vendor()) else {
        let label = match nearest(vendor, vendors) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("expected one of {}", vendors.join(", ")),
        };
        return Err(Mistake { what: format!("{vendor:?} is no vendor of an agent"), label, span });
    };
    let name = values::label(name).map_err(|why| Mistake {
        what: format!("{name:?} cannot be the name of an account"),
        label: why,
        span,
    })?;
    Ok(AccountId { backend, name })
}

/// The account in the list, put at its end if it is not there.
pub fn entry<'a>(accounts: &'a mut Vec<Account>, id: &AccountId) -> &'a mut Account {
    let index = accounts.iter().position(|account| account.id == *id).unwrap_or_else(|| {
        accounts.push(Account::new(id.clone()));
        accounts.len() - 1
    });
    &mut accounts[index]
}

/// What no setting of an account can see alone: two accounts that use one login would not be two.
///
/// # Errors
/// Says which accounts cannot be told apart.
pub fn check(accounts: &[Account]) -> Result<(), String> {
    for (index, account) in accounts.iter().enumerate() {
        let same = |other: &&Account| {
            other.id.backend == account.id.backend
                && (&other.login_dir, &other.key_env) == (&account.login_dir, &account.key_env)
        };
        if let Some(other) = accounts[..index].iter().find(same) {
            return Err(format!(
                "the accounts {} and {} use the same login: give each a login_dir or a key_env of its own",
                other.id, account.id
            ));
        }
    }
    Ok(())
}
