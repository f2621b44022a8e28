//! Words with holes, and paths into a JSON document.

use serde::{Deserialize, Serialize};

/// What a word of a command may be filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    Model,
    Effort,
    /// The session to begin or to go on with.
    Session,
    Prompt,
    PromptFile,
    /// The file with the repository's own instructions for agents.
    Instructions,
    Workspace,
    Tmp,
    Attempt,
    Turn,
}

impl Hole {
    pub const ALL: [(&'static str, Self); 10] = [
        ("model", Self::Model),
        ("effort", Self::Effort),
        ("session", Self::Session),
        ("prompt", Self::Prompt),
        ("prompt_file", Self::PromptFile),
        ("instructions", Self::Instructions),
        ("workspace", Self::Workspace),
        ("tmp", Self::Tmp),
        ("attempt", Self::Attempt),
        ("turn", Self::Turn),
    ];

    /// As it is written, between braces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, hole)| *hole == self).map_or("", |(name, _)| name)
    }
}

/// What the holes are filled with; `None`: there is no such value in this turn.
pub trait Values {
    fn of(&self, hole: Hole) -> Option<String>;
}

impl<F: Fn(Hole) -> Option<String>> Values for F {
    fn of(&self, hole: Hole) -> Option<String> {
        self(hole)
    }
}

/// A program and its arguments, with holes. The program's own word has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Argv {
    program: String,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(Hole),
}

/// Why words cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    #[error("it names no program")]
    Empty,
    #[error("the program's own word {0:?} cannot be filled in")]
    ProgramWithHole(String),
    #[error("there is nothing called {{{name}}} to fill in{}", hint(.nearest.as_ref()))]
    UnknownHole { name: String, nearest: Option<String> },
    #[error("it contains a NUL character")]
    Nul,
}

fn hint(nearest: Option<&String>) -> String {
    let names = || Hole::ALL.map(|(name, _)| format!("{{{name}}}")).join(", ");
    nearest.map_or_else(|| format!(": use one of {}", names()), |name| format!(": did you mean {{{name}}}?"))
}

impl Argv {
    /// `{name}` is a hole; `{{` is a brace, and so is one that no name and closing brace follow.
    ///
    /// # Errors
    /// [`ArgvError`] for the first word that cannot be used.
    pub fn parse<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Result<Self, ArgvError> {
        let mut words = words.into_iter();
        let program =
            words.next().map(|word| word.as_ref().to_owned()).filter(|word| !word.trim().is_empty());
        let program = program.ok_or(ArgvError::Empty)?;
        if Word::parse(&program)?.holes().next().is_some() {
            return Err(ArgvError::ProgramWithHole(program));
        }
        let words = words.map(|word| Word::parse(word.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { program, words })
    }

    /// The words of a command as a person typed them, without holes.
    ///
    /// # Errors
    /// When there is none, or one that no program can be given.
    pub fn literal(words: &[String]) -> Result<Self, ArgvError> {
        let (program, words) = words.split_first().ok_or(ArgvError::Empty)?;
        if program.trim().is_empty() {
            return Err(ArgvError::Empty);
        }
        if words.iter().chain([program]).any(|word| word.contains('\0')) {
            return Err(ArgvError::Nul);
        }
        let words = words.iter().map(|word| Word(vec![Piece::Text(word.clone())])).collect();
        Ok(Self { program: program.clone(), words })
    }

    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    #[must_use]
    pub fn has(&self, hole: Hole) -> bool {
        self.holes().any(|one| one == hole)
    }

    pub fn holes(&self) -> impl Iterator<Item = Hole> + '_ {
        self.words.iter().flat_map(Word::holes)
    }

    /// The arguments, filled in. A word with a hole that has no value is left out; a word that is nothing but such a hole takes
    /// the flag before it along: `--model {model}` comes and goes as one.
    #[must_use]
    pub fn fill(&self, values: &impl Values) -> Vec<String> {
        let mut filled: Vec<String> = Vec::new();
        let mut flag_before = false;
        for word in &self.words {
            match word.fill(values) {
                Some(text) => {
                    flag_before = word.is_flag();
                    filled.push(text);
                }
                None => {
                    if flag_before && word.is_hole() {
                        filled.pop();
                    }
                    flag_before = false;
                }
            }
        }
        filled
    }
}

impl Word {
    fn parse(text: &str) -> Result<Self, ArgvError> {
        if text.contains('\0') {
            return Err(ArgvError::Nul);
        }
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            plain.push_str(before);
            if let Some(behind) = behind.strip_prefix('{') {
                plain.push('{');
                rest = behind;
                continue;
            }
            let name = behind.split_once('}').filter(|(name, _)| is_name(name));
            let Some((name, behind)) = name else {
                plain.push('{');
                rest = behind;
                continue;
            };
            let known = Hole::ALL.iter().find(|(known, _)| *known == name);
            let Some((_, hole)) = known else {
                let nearest = crate::text::nearest(name, Hole::ALL.iter().map(|(known, _)| *known));
                let (name, nearest) = (name.to_owned(), nearest.map(str::to_owned));
                return Err(ArgvError::UnknownHole { name, nearest });
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Hole(*hole));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    fn holes(&self) -> impl Iterator<Item = Hole> + '_ {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Hole(hole) => Some(*hole),
            Piece::Text(_) => None,
        })
    }

    fn is_hole(&self) -> bool {
        matches!(self.0.as_slice(), [Piece::Hole(_)])
    }

    fn is_flag(&self) -> bool {
        matches!(self.0.as_slice(), [Piece::Text(text)] if text.starts_with('-') && !text.contains('='))
    }

    fn fill(&self, values: &impl Values) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.clone()),
                Piece::Hole(hole) => values.of(*hole),
            })
            .collect()
    }

    /// As it would be written.
    fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.replace('{', "{{"),
            Piece::Hole(hole) => format!("{{{}}}", hole.as_str()),
        };
        self.0.iter().map(piece).collect()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

impl TryFrom<Vec<String>> for Argv {
    type Error = ArgvError;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(words)
    }
}

impl From<Argv> for Vec<String> {
    fn from(argv: Argv) -> Self {
        let program = argv.program.clone();
        std::iter::once(program).chain(argv.words.iter().map(Word::text)).collect()
    }
}

/// A place in a JSON document: names of fields and numbers of items, with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath(String);

/// Why a text is no path of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected names of fields with dots between them, as in usage.input_tokens")]
pub struct FieldPathError;

impl FieldPath {
    /// # Errors
    /// [`FieldPathError`] when a name is empty.
    pub fn parse(text: &str) -> Result<Self, FieldPathError> {
        let fits = |name: &str| !name.is_empty() && !name.contains(char::is_control);
        text.split('.').all(fits).then(|| Self(text.to_owned())).ok_or(FieldPathError)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl TryFrom<String> for FieldPath {
    type Error = FieldPathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(words: &[&str]) -> Vec<String> {
        let values = |hole: Hole| match hole {
            Hole::Session => Some("s1".to_owned()),
            Hole::Workspace => Some("/w".to_owned()),
            _ => None,
        };
        Argv::parse(words).expect("words").fill(&values)
    }

    #[test]
    fn what_has_no_value_goes_with_its_flag() {
        assert_eq!(filled(&["x", "--yes", "--model", "{model}", "go"]), ["--yes", "go"]);
        assert_eq!(filled(&["x", "--model={model}", "-s", "{session}"]), ["-s", "s1"]);
        assert_eq!(filled(&["x", "-C{workspace}", "a{session}b{model}"]), ["-C/w"]);
        assert_eq!(filled(&["x", "run", "{model}", "{effort}"]), ["run"], "a word that is no flag stays");
        assert_eq!(filled(&["x", "--a=b", "{model}"]), ["--a=b"]);
        assert_eq!(filled(&["x", "--a", "{model}", "{model}"]), [""; 0]);
    }

    #[test]
    fn braces_that_are_no_hole_stay() {
        assert_eq!(
            filled(&["x", "{\"a\": {}}", "{{session}", "{", "}", ""]),
            ["{\"a\": {}}", "{session}", "{", "}", ""]
        );
        for words in [vec!["x", "{{session}", "{ {session}"], vec!["x", "{\"a\": {}}", "{turn}{tmp}"]] {
            let argv = Argv::parse(words).expect("words");
            assert_eq!(Argv::try_from(Vec::from(argv.clone())), Ok(argv));
        }
    }

    #[test]
    fn a_command_line_has_no_holes() {
        let argv = Argv::literal(&["x".into(), "{model}".into()]).expect("words");
        assert_eq!(argv.fill(&|_| None::<String>), ["{model}"]);
        assert_eq!(
            Argv::try_from(Vec::from(argv.clone())).map(|again| again.fill(&|_| None::<String>)),
            Ok(vec!["{model}".to_owned()])
        );
    }

    #[test]
    fn words_that_cannot_be_used_are_refused() {
        let refused = |words: &[&str]| Argv::parse(words).expect_err("no words").to_string();
        assert_eq!(refused(&[]), "it names no program");
        assert_eq!(refused(&[" "]), "it names no program");
        assert!(refused(&["{model}"]).contains("own word"));
        assert_eq!(
            refused(&["x", "{modle}"]),
            "there is nothing called {modle} to fill in: did you mean {model}?"
        );
        assert!(refused(&["x", "{zzzzzzzz}"]).contains("use one of {model}, "));
        assert!(refused(&["x", "a\0"]).contains("NUL"));
    }

    #[test]
    fn a_path_is_names() {
        let path = FieldPath::parse("a.0.b-c").expect("a path");
        assert_eq!(path.names().collect::<Vec<_>>(), ["a", "0", "b-c"]);
        for bad in ["", ".", "a.", "a..b"] {
            assert_eq!(FieldPath::parse(bad), Err(FieldPathError), "{bad}");
        }
    }
}
