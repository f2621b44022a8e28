//! The OpenMetrics text format, version 1.0: families with their samples, escaped, and the mark at the end.

/// The content type of a document in this format.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    /// Never falls while the process lives.
    Counter,
    Histogram,
    /// One of several states is 1 and the others are 0.
    StateSet,
    /// Always 1; the labels are what it tells.
    Info,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::StateSet => "stateset",
            Self::Info => "info",
        }
    }
}

/// Name and value of a label.
pub(crate) type Label<'a> = (&'a str, &'a str);

/// A document under construction.
#[derive(Debug, Default)]
pub(crate) struct Document {
    text: String,
}

/// Where the samples of one family are written.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    document: &'a mut Document,
    name: &'static str,
}

impl Document {
    /// Begins a family. Its samples have to follow before the next one begins. A unit is the last word of the name.
    pub(crate) fn family(
        &mut self,
        name: &'static str,
        kind: Kind,
        unit: Option<&str>,
        help: &str,
    ) -> Family<'_> {
        self.line(&["# TYPE ", name, " ", kind.as_str()]);
        if let Some(unit) = unit {
            self.line(&["# UNIT ", name, " ", unit]);
        }
        self.line(&["# HELP ", name, " ", &escaped(help)]);
        Family { document: self, name }
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, Kind::Gauge, None, help).sample("", &[], &value.to_string());
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }

    fn line(&mut self, parts: &[&str]) {
        for part in parts {
            self.text.push_str(part);
        }
        self.text.push('\n');
    }
}

impl Family<'_> {
    /// Writes a sample. `suffix` is what the kind of the family demands: `_total`, `_bucket`, …
    pub(crate) fn sample(&mut self, suffix: &str, labels: &[Label<'_>], value: &str) {
        let text = &mut self.document.text;
        text.push_str(self.name);
        text.push_str(suffix);
        for (index, (name, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            text.push_str(&escaped(value));
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        text.push(' ');
        text.push_str(value);
        text.push('\n');
    }

    /// Writes a sample with a whole number.
    pub(crate) fn count(&mut self, suffix: &str, labels: &[Label<'_>], value: u64) {
        self.sample(suffix, labels, &value.to_string());
    }
}

/// A finite number as the format wants it: whole ones keep their `.0`, which a bucket's bound must have.
pub(crate) fn float(value: f64) -> String {
    format!("{value:?}")
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\\\"),
            '"' => safe.push_str("\\\""),
            '\n' => safe.push_str("\\n"),
            // The only other character that readers take for the end of a line.
            '\r' => safe.push(' '),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_the_format_demands() {
        let mut document = Document::default();
        document
            .family("latency_seconds", Kind::Histogram, Some("seconds"), "How long.\nAnd \"so\" on.")
            .sample("_bucket", &[("le", "1.0"), ("who", "a\"b\\c\nd\re")], &float(0.000_25));
        document.gauge("slots", "Slots.", 3);
        let wanted = concat!(
            "# TYPE latency_seconds histogram\n",
            "# UNIT latency_seconds seconds\n",
            "# HELP latency_seconds How long.\\nAnd \\\"so\\\" on.\n",
            "latency_seconds_bucket{le=\"1.0\",who=\"a\\\"b\\\\c\\nd e\"} 0.00025\n",
            "# TYPE slots gauge\n",
            "# HELP slots Slots.\n",
            "slots 3\n",
            "# EOF\n",
        );
        assert_eq!(document.finish(), wanted);
    }

    #[test]
    fn numbers_are_written_in_a_form_that_every_reader_knows() {
        let written = [1.0, 0.5, 300.0, 1e-7, 1e20].map(float);
        assert_eq!(written, ["1.0", "0.5", "300.0", "1e-7", "1e20"]);
    }
}
