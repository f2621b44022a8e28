//! YAML as a small tree with places. Only what a plan needs: mappings, lists and texts. Anchors, aliases, tags and further
//! documents are refused before anything is made of them, so that no text can grow to more than it is.

use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::{DOCUMENT_MAX, PlanError};

/// Nesting of a plan is six deep.
const DEPTH_MAX: usize = 16;

/// Where something stands, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backlog) struct At {
    pub(in crate::backlog) line: usize,
    pub(in crate::backlog) column: usize,
}

impl At {
    pub(in crate::backlog) fn error(self, what: impl Into<String>, help: impl Into<String>) -> PlanError {
        PlanError { line: self.line, column: self.column, what: what.into(), help: help.into() }
    }
}

#[derive(Debug)]
pub(in crate::backlog) struct Node {
    pub(in crate::backlog) at: At,
    pub(in crate::backlog) value: Value,
}

#[derive(Debug)]
pub(in crate::backlog) enum Value {
    /// `null`, `~` or nothing at all.
    Nothing,
    Text {
        text: String,
        /// Written without quotes: it may stand for a number or a truth.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Field, Node)>),
}

#[derive(Debug)]
pub(in crate::backlog) struct Field {
    pub(in crate::backlog) at: At,
    pub(in crate::backlog) name: String,
}

impl Value {
    pub(in crate::backlog) fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text { .. } => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// The YAML part of a document, and the Markdown behind it with the line that it begins on.
pub(in crate::backlog) struct Parts<'a> {
    pub(in crate::backlog) yaml: Cow<'a, str>,
    /// Lines before the YAML.
    pub(in crate::backlog) before: usize,
    pub(in crate::backlog) markdown: &'a str,
    pub(in crate::backlog) markdown_line: usize,
}

/// Takes a document apart. One that does not begin with `---` is YAML as a whole.
pub(in crate::backlog) fn parts(text: &str) -> Result<Parts<'_>, PlanError> {
    let start = At { line: 1, column: 1 };
    if text.len() > DOCUMENT_MAX {
        let what = format!("the document has {} bytes; at most {DOCUMENT_MAX} are taken", text.len());
        return Err(start.error(what, "divide it into several epics"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let is_fence = |line: &str| line.trim_end() == "---";
    let Some(first) = lines.next().filter(|line| is_fence(line)) else {
        return Ok(Parts { yaml: Cow::Borrowed(text), before: 0, markdown: "", markdown_line: 1 });
    };
    let mut end = first.len();
    for (number, line) in (2..).zip(lines) {
        if is_fence(line) {
            let yaml = Cow::Borrowed(&text[first.len()..end]);
            let markdown = &text[end + line.len()..];
            return Ok(Parts { yaml, before: 1, markdown, markdown_line: number + 1 });
        }
        end += line.len();
    }
    Ok(Parts { yaml: Cow::Borrowed(&text[first.len()..]), before: 1, markdown: "", markdown_line: 1 })
}

/// Reads YAML; `before` is how many lines of the document stand before it.
pub(in crate::backlog) fn parse(yaml: &str, before: usize) -> Result<Node, PlanError> {
    let mut reader = Reader { parser: Parser::new_from_str(yaml), before };
    let mut document: Option<Node> = None;
    loop {
        let (event, span) = reader.next()?;
        let at = reader.at(span.start);
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if document.is_some() => {
                return Err(
                    at.error("a second document begins here", "one file is one plan: remove the `---`")
                );
            }
            Event::DocumentStart(_) => {}
            other => document = Some(reader.node(other, at, 0)?),
        }
    }
    let nothing = At { line: before + 1, column: 1 };
    document.ok_or_else(|| nothing.error("there is no plan here", "begin with `epic:` and its title"))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    before: usize,
}

impl<'a> Reader<'a> {
    fn at(&self, mark: Marker) -> At {
        At { line: self.before + mark.line(), column: mark.col() + 1 }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), PlanError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let help = "indent with blanks, never with tabs; put texts that hold `: ` or ` #` into quotes or below `|`";
                Err(self.at(*error.marker()).error(format!("this is not YAML: {}", error.info()), help))
            }
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    fn node(&mut self, event: Event<'a>, at: At, depth: usize) -> Result<Node, PlanError> {
        if depth > DEPTH_MAX {
            return Err(at.error("this is nested too deep", "a plan has an epic, stories and tasks"));
        }
        let value = match event {
            Event::Scalar(_, _, 1.., _)
            | Event::SequenceStart(1.., _)
            | Event::MappingStart(1.., _)
            | Event::Alias(_) => {
                let help =
                    "write the text out where it is needed; put texts that begin with `&` or `*` into quotes";
                return Err(at.error("anchors and aliases are not taken", help));
            }
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return Err(at.error("tags are not taken", "put texts that begin with `!` into quotes"));
            }
            Event::Scalar(text, style, ..) => scalar(text.into_owned(), style),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(at.error("the text ends here", "finish the last entry")),
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, PlanError> {
        let mut nodes = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(nodes));
            }
            let at = self.at(span.start);
            nodes.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, PlanError> {
        let mut fields: Vec<(Field, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(fields));
            }
            let at = self.at(span.start);
            let Node { value: Value::Text { text: name, .. }, .. } = self.node(event, at, depth + 1)? else {
                return Err(at.error("a field's name is not a text", "write `name: value`"));
            };
            if fields.iter().any(|(field, _)| field.name == name) {
                let what = format!("{:?} stands twice here", crate::text::one_line(&name, 60));
                return Err(at.error(what, "keep one of the two"));
            }
            let (event, span) = self.next()?;
            let value_at = self.at(span.start);
            let node = self.node(event, value_at, depth + 1)?;
            fields.push((Field { at, name }, node));
            // No mapping of a plan has more; and a longer one would be compared with itself for long.
            if fields.len() > 64 {
                return Err(
                    at.error("this mapping has too many fields", "a list has a `-` before each entry")
                );
            }
        }
    }
}

fn scalar(text: String, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    match (plain, text.as_str()) {
        (true, "" | "~" | "null" | "Null" | "NULL") => Value::Nothing,
        _ => Value::Text { text, plain },
    }
}
