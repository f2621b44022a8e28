//! Which paths a plan names. A plan is prose with code in it: a token in back-ticks may as well be an attribute, a command or a
//! method, and taking such a thing for a path once cost an epic its work. So the rule is narrow: a token consists of the
//! characters of ordinary file names and nothing else, and ends in an extension that files have.
//!
//! Fenced code is passed over: it shows what is to be in a file, and not which files there are.

/// Longest path that is taken for one.
const LONGEST: usize = 200;
/// Paths that are read from a plan.
const MOST: usize = 1_000;

/// Extensions of files that people name in plans.
const EXTENSIONS: &[&str] = &[
    "astro",
    "avsc",
    "bash",
    "bat",
    "bazel",
    "c",
    "cc",
    "cfg",
    "clj",
    "cljs",
    "cmake",
    "conf",
    "cpp",
    "cs",
    "csproj",
    "css",
    "csv",
    "cts",
    "cxx",
    "dart",
    "diff",
    "dockerfile",
    "editorconfig",
    "eex",
    "ejs",
    "elm",
    "env",
    "erb",
    "erl",
    "ex",
    "exs",
    "fish",
    "fs",
    "fsproj",
    "gitattributes",
    "gitignore",
    "go",
    "gql",
    "gradle",
    "graphql",
    "groovy",
    "h",
    "haml",
    "hbs",
    "hcl",
    "heex",
    "hh",
    "hpp",
    "hrl",
    "hs",
    "htm",
    "html",
    "hxx",
    "ini",
    "ipynb",
    "java",
    "jinja",
    "jinja2",
    "jl",
    "js",
    "json",
    "json5",
    "jsonc",
    "jsonl",
    "jsx",
    "kt",
    "kts",
    "less",
    "lock",
    "lua",
    "m",
    "makefile",
    "markdown",
    "md",
    "mdx",
    "mjs",
    "mk",
    "ml",
    "mli",
    "mod",
    "mts",
    "nim",
    "nix",
    "njk",
    "patch",
    "php",
    "pl",
    "plist",
    "pm",
    "prisma",
    "properties",
    "proto",
    "ps1",
    "pug",
    "py",
    "pyi",
    "pyx",
    "r",
    "rake",
    "rb",
    "rkt",
    "rs",
    "rst",
    "sass",
    "sbt",
    "scala",
    "scss",
    "service",
    "sh",
    "sln",
    "snap",
    "sol",
    "sql",
    "sum",
    "svelte",
    "svg",
    "swift",
    "tcl",
    "template",
    "tex",
    "tf",
    "tfvars",
    "tmpl",
    "toml",
    "ts",
    "tsv",
    "tsx",
    "txt",
    "vb",
    "vue",
    "wat",
    "xaml",
    "xml",
    "xsd",
    "yaml",
    "yml",
    "zig",
    "zsh",
];
/// Files without an extension that are known by their names.
const NAMES: &[&str] = &[
    "BUILD",
    "CMakeLists.txt",
    "CODEOWNERS",
    "Containerfile",
    "Dockerfile",
    "Gemfile",
    "Jenkinsfile",
    "Justfile",
    "LICENSE",
    "Makefile",
    "Pipfile",
    "Procfile",
    "Rakefile",
    "Vagrantfile",
    "WORKSPACE",
    "justfile",
    "makefile",
];
/// Names of products that look like files.
const PRODUCTS: &[&str] = &[
    "alpine.js",
    "asp.net",
    "backbone.js",
    "bun.sh",
    "chart.js",
    "d3.js",
    "discord.js",
    "ember.js",
    "express.js",
    "moment.js",
    "nest.js",
    "next.js",
    "node.js",
    "nuxt.js",
    "p5.js",
    "react.js",
    "solid.js",
    "svelte.js",
    "three.js",
    "vue.js",
];

/// A path of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    text: String,
    certain: bool,
    directory: bool,
}

impl Planned {
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is certainly a path. What is not counts only where a changed file fits it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether it is written as a directory: `src/policy/`.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// Whether it names this file: its whole path, the end of it, or a directory that it lies in.
    pub(super) fn names(&self, file: &[&str]) -> bool {
        let own = super::components(&self.text);
        let within = |file: &[&str]| file.windows(own.len().max(1)).any(|part| part == own);
        let is_it = !self.directory && file.ends_with(&own);
        let lies_in = (self.directory || !self.certain)
            && file.split_last().is_some_and(|(_, parents)| within(parents));
        !own.is_empty() && (is_it || lies_in)
    }
}

/// The paths that a plan names, in its order and each once.
#[must_use]
pub fn planned(plan: &str) -> Vec<Planned> {
    let mut found: Vec<Planned> = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    for line in plan.lines() {
        match (fence, fence_of(line)) {
            (None, Some(opened)) => fence = Some(opened),
            (Some((mark, length)), Some((other, longer))) if mark == other && longer >= length => {
                fence = None
            }
            (Some(_), _) => {}
            (None, None) => {
                for path in of_line(line) {
                    if found.len() < MOST && !found.iter().any(|known| known.text == path.text) {
                        found.push(path);
                    }
                }
            }
        }
    }
    found
}

/// Mark and length of the fence that a line is.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    // Of back-ticks, a line with more of them behind the mark is code in a line and no fence.
    let is_fence = length >= 3 && !(mark == '`' && line[length..].contains('`'));
    is_fence.then_some((mark, length))
}

fn of_line(line: &str) -> Vec<Planned> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        plain.push_str(&rest[..at]);
        plain.push(' ');
        let ticks = rest[at..].chars().take_while(|c| *c == '`').count();
        let inner = &rest[at + ticks..];
        let Some(end) = closing(inner, ticks) else {
            rest = inner;
            continue;
        };
        found.extend(path(inner[..end].trim(), true));
        rest = &inner[end + ticks..];
    }
    plain.push_str(rest);
    if let Some(item) = bullet(&plain) {
        found.extend(item.split_whitespace().filter_map(|word| path(bare(word), false)));
    }
    found
}

/// Where a run of exactly that many back-ticks begins.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('`') {
        let start = at + found;
        let length = text[start..].chars().take_while(|c| *c == '`').count();
        if length == ticks {
            return Some(start);
        }
        at = start + length;
    }
    None
}

/// What stands behind the mark of a list's item.
fn bullet(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(item) = ["- ", "* ", "+ ", "• "].iter().find_map(|mark| line.strip_prefix(mark)) {
        return Some(item);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let behind = line.get(digits..)?;
    (1..=3).contains(&digits).then(|| behind.strip_prefix(". ").or_else(|| behind.strip_prefix(") ")))?
}

/// A word without the marks of the sentence around it.
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(['*', '_', '(', '"', '\'', '“', '‘', '[']);
    word.trim_end_matches(['*', '_', ')', '"', '\'', '”', '’', ']', ',', ';', ':', '.', '!', '?'])
}

/// A token that is a path. `quoted`: it stands in back-ticks.
fn path(token: &str, quoted: bool) -> Option<Planned> {
    let token = without_place(token.strip_prefix("./").unwrap_or(token));
    let (token, directory) = match token.strip_suffix('/') {
        Some(stem) => (stem, true),
        None => (token, false),
    };
    if token.is_empty() || token.len() > LONGEST || !has_only_names(token) {
        return None;
    }
    let parts: Vec<&str> = token.split('/').collect();
    let named =
        |part: &&str| !part.is_empty() && **part != *"." && !part.contains("..") && !part.ends_with('.');
    if !parts.iter().all(named) || parts.iter().all(|part| is_number(part)) {
        return None;
    }
    let last = parts.last()?;
    let slashed = parts.len() > 1;
    if !slashed && PRODUCTS.contains(&token.to_ascii_lowercase().as_str()) {
        return None;
    }
    let is_file = !directory && is_file_name(last);
    // "and/or", "origin/main" and "text/html" have a slash too.
    let perhaps = quoted && (slashed || directory);
    (is_file || perhaps).then(|| Planned { text: token.to_owned(), certain: is_file, directory })
}

/// Without the line that may be named behind a path: `:12`, `:12:3`, `#L12`.
fn without_place(token: &str) -> &str {
    let token = token.split_once("#L").map_or(token, |(path, _)| path);
    let is_place =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b':');
    match token.split_once(':') {
        Some((path, place)) if is_place(place) => path,
        Some(_) | None => token,
    }
}

fn has_only_names(token: &str) -> bool {
    let ordinary = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | '@');
    token.chars().all(ordinary) && !token.starts_with(['-', '/', '+']) && !token.contains("//")
}

fn is_file_name(name: &str) -> bool {
    if NAMES.contains(&name) {
        return true;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let known = EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str());
    known && (!stem.is_empty() || extension.len() > 2)
}

/// Numbers of versions, dates and fractions.
fn is_number(part: &str) -> bool {
    let part = part.strip_prefix(['v', 'V']).unwrap_or(part);
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'))
}
