//! Files that an agent has read and written for it: those of the workspace, by no link out of it.
//!
//! The agent runs in the same containment and could open a file itself; whoever asks us gets no more than that.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use overnight_agents::acp::request::{ReadFile, Refusal, WriteFile};
use overnight_agents::acp::wire::Order;
use serde_json::{Value, json};

/// Largest text that passes, in bytes.
const MAX_TEXT: usize = 8 << 20;

pub(super) struct Files {
    /// As it was named; relative paths are taken from here.
    workspace: PathBuf,
    /// The same without links.
    root: PathBuf,
    readable: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(order: &Order) -> Self {
        let real = |path: &PathBuf| fs::canonicalize(path).ok();
        Self {
            workspace: order.workspace.clone(),
            root: real(&order.workspace).unwrap_or_else(|| order.workspace.clone()),
            readable: order.readable.iter().filter_map(real).collect(),
        }
    }

    pub(super) fn read(&self, wanted: &ReadFile) -> Result<Value, Refusal> {
        let path = self.workspace.join(&wanted.path);
        let real = fs::canonicalize(&path).map_err(|error| refusal(&path, &error))?;
        if !real.starts_with(&self.root) && !self.readable.contains(&real) {
            return Err(outside(&path));
        }
        let size = fs::metadata(&real).map_err(|error| refusal(&path, &error))?;
        if !size.is_file() || size.len() > MAX_TEXT as u64 {
            return Err(Refusal::failed(format!("{} is no file of at most 8 MiB", path.display())));
        }
        let text = fs::read_to_string(&real).map_err(|error| refusal(&path, &error))?;
        Ok(json!({"content": lines(&text, wanted.line, wanted.limit)}))
    }

    pub(super) fn write(&self, wanted: &WriteFile) -> Result<Value, Refusal> {
        let path = self.workspace.join(&wanted.path);
        if wanted.content.len() > MAX_TEXT {
            return Err(Refusal::failed("the text is larger than 8 MiB"));
        }
        self.check_new(&path)?;
        let parent = path.parent().unwrap_or(&self.workspace);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, &wanted.content));
        written.map_err(|error| refusal(&path, &error))?;
        Ok(Value::Null)
    }

    /// The directory of a terminal.
    pub(super) fn directory(&self, wanted: Option<&Path>) -> Result<PathBuf, Refusal> {
        let Some(wanted) = wanted else { return Ok(self.root.clone()) };
        let path = self.workspace.join(wanted);
        let real = fs::canonicalize(&path).map_err(|error| refusal(&path, &error))?;
        if real.starts_with(&self.root) { Ok(real) } else { Err(outside(&path)) }
    }

    /// What is there of a path, down to the file itself, has to lie in the workspace; the rest will be new.
    fn check_new(&self, path: &Path) -> Result<(), Refusal> {
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(outside(path));
        }
        let there = path.ancestors().find(|part| part.symlink_metadata().is_ok());
        let there = there.ok_or_else(|| outside(path))?;
        // A link that leads nowhere could lead anywhere once it is written through.
        let real = fs::canonicalize(there).map_err(|error| refusal(there, &error))?;
        if real.starts_with(&self.root) { Ok(()) } else { Err(outside(path)) }
    }
}

fn outside(path: &Path) -> Refusal {
    Refusal::failed(format!("{} is not in the workspace", path.display()))
}

fn refusal(path: &Path, error: &std::io::Error) -> Refusal {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound => Refusal::missing(message),
        _ => Refusal::failed(message),
    }
}

/// From a line, counted from 1, so many of them.
fn lines(text: &str, first: Option<u64>, most: Option<u64>) -> String {
    let whole =
        |number: Option<u64>, usual| number.map_or(usual, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let skipped = whole(first, 1).saturating_sub(1);
    text.split_inclusive('\n').skip(skipped).take(whole(most, usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use overnight_agents::acp::wire::Policy;
    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, outside) = (dir.path().join("w"), dir.path().join("outside"));
        fs::create_dir_all(workspace.join("src")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(workspace.join("src/a"), "1\n2\n3\n").unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::write(dir.path().join("instructions.md"), "Be kind.").unwrap();
        symlink(&outside, workspace.join("out")).unwrap();
        symlink(outside.join("new"), workspace.join("dangling")).unwrap();
        symlink("src", workspace.join("in")).unwrap();
        let order = Order {
            program: "/bin/true".into(),
            args: Vec::new(),
            workspace,
            readable: vec![dir.path().join("instructions.md")],
            resume: None,
            tools: None,
            prompt: String::new(),
            policy: Policy::Allow,
            grace: Duration::from_secs(1),
        };
        let files = Files::new(&order);
        (dir, files)
    }

    fn read(files: &Files, path: &str) -> Result<String, i64> {
        let wanted = ReadFile { path: path.into(), line: None, limit: None };
        files
            .read(&wanted)
            .map(|value| value["content"].as_str().unwrap().to_owned())
            .map_err(|error| error.code)
    }

    fn write(files: &Files, path: &str) -> bool {
        files.write(&WriteFile { path: path.into(), content: "new".into() }).is_ok()
    }

    #[test]
    fn files_of_the_workspace_are_read_and_no_others() {
        let (dir, files) = place();
        let at = |path: &str| dir.path().join(path).display().to_string();
        assert_eq!(read(&files, &at("w/src/a")), Ok("1\n2\n3\n".to_owned()));
        assert_eq!(read(&files, "in/a"), Ok("1\n2\n3\n".to_owned()), "a link within");
        assert_eq!(read(&files, &at("instructions.md")), Ok("Be kind.".to_owned()));
        for path in ["w/out/secret", "outside/secret", "w/src/../../outside/secret", "w/src"] {
            assert_eq!(read(&files, &at(path)), Err(-32603), "{path}");
        }
        assert_eq!(read(&files, &at("w/none")), Err(-32002));
        let part = ReadFile { path: "src/a".into(), line: Some(2), limit: Some(1) };
        assert_eq!(files.read(&part).unwrap()["content"], "2\n");
    }

    #[test]
    fn files_of_the_workspace_are_written_and_no_others() {
        let (dir, files) = place();
        let at = |path: &str| dir.path().join(path).display().to_string();
        for path in ["w/src/a", "w/new/deep/file", "w/in/b"] {
            assert!(write(&files, &at(path)), "{path}");
            assert_eq!(fs::read_to_string(at(path)).unwrap(), "new");
        }
        for path in ["w/out/new", "w/dangling", "outside/new", "w/x/../../outside/new", "instructions.md"] {
            assert!(!write(&files, &at(path)), "{path}");
        }
        assert!(!dir.path().join("outside/new").exists());
        let large = WriteFile { path: "large".into(), content: "x".repeat(MAX_TEXT + 1) };
        assert!(files.write(&large).is_err());
    }

    #[test]
    fn a_terminal_is_in_the_workspace() {
        let (dir, files) = place();
        let root = fs::canonicalize(dir.path().join("w")).unwrap();
        assert_eq!(files.directory(None).unwrap(), root);
        assert_eq!(files.directory(Some(Path::new("in"))).unwrap(), root.join("src"));
        assert!(files.directory(Some(Path::new("out"))).is_err());
        assert!(files.directory(Some(Path::new("/"))).is_err());
    }
}
