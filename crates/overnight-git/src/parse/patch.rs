//! A patch without context, file by file. Its files come in the order of the raw listing, which is where their names are taken from:
//! a name in a patch may be quoted, and lines that look like the head of a file are counted by their hunks and never believed.

use overnight_core::policy::preflight::{FileChange, Hunk};

use super::ChangedPath;

/// First bytes of a content in which a NUL makes it binary, as git itself has it.
const LOOKED_AT: usize = 8_000;

/// What a patch says, without names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) sections: Vec<Section>,
}

/// One `diff --git`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) hunks: Vec<Hunk>,
    pub(crate) binary: bool,
}

/// Reads a patch, which may end anywhere.
pub(crate) fn patch(stdout: &[u8]) -> Patch {
    let mut read = Patch::default();
    // Lines of the hunk at hand that are still to come: removed, added.
    let mut left = (0_u32, 0_u32);
    for line in stdout.split(|b| *b == b'\n') {
        let section = read.sections.last_mut();
        if let (true, Some(section)) = (left != (0, 0), section) {
            let Some(hunk) = section.hunks.last_mut() else { continue };
            match line.split_first() {
                Some((b'-', text)) if left.0 > 0 => {
                    left.0 -= 1;
                    hunk.removed.push(content(text, &mut section.binary));
                }
                Some((b'+', text)) if left.1 > 0 => {
                    left.1 -= 1;
                    hunk.added.push(content(text, &mut section.binary));
                }
                // "\ No newline at end of file".
                Some(_) | None => {}
            }
            continue;
        }
        if line.starts_with(b"diff --git ") {
            read.sections.push(Section::default());
        } else if let (Some(numbers), Some(section)) = (line.strip_prefix(b"@@ "), read.sections.last_mut())
            && let Some((hunk, counts)) = hunk(numbers)
        {
            section.hunks.push(hunk);
            left = counts;
        } else if line.starts_with(b"Binary files ")
            && let Some(section) = read.sections.last_mut()
        {
            section.binary = true;
        }
    }
    read
}

fn content(text: &[u8], binary: &mut bool) -> String {
    *binary |= text.iter().take(LOOKED_AT).any(|b| *b == 0);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

/// `-12,3 +14 @@…`: a missing count is one.
fn hunk(numbers: &[u8]) -> Option<(Hunk, (u32, u32))> {
    let text = String::from_utf8_lossy(numbers);
    let mut parts = text.split(' ');
    let (old_start, removed) = range(parts.next()?.strip_prefix('-')?)?;
    let (new_start, added) = range(parts.next()?.strip_prefix('+')?)?;
    Some((Hunk { old_start, new_start, removed: Vec::new(), added: Vec::new() }, (removed, added)))
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

/// How many sections a patch has for one path: what changes its type is deleted and added.
fn sections(path: &ChangedPath) -> usize {
    if path.status == 'T' { 2 } else { 1 }
}

pub(crate) fn sections_of(paths: &[ChangedPath]) -> usize {
    paths.iter().map(sections).sum()
}

/// The files with their lines. Where the patch ended early, the last ones have none.
pub(crate) fn with_lines(
    paths: Vec<ChangedPath>,
    sizes: &[Option<u64>],
    patch: Vec<Section>,
) -> Vec<FileChange> {
    let mut patch = patch.into_iter();
    let sizes = sizes.iter().copied().chain(std::iter::repeat(None));
    let one = |(path, size): (ChangedPath, Option<u64>)| {
        let mut file = FileChange {
            old_mode: path.old_mode,
            new_mode: path.new_mode,
            size,
            binary: false,
            hunks: Vec::new(),
            path: Vec::new(),
        };
        for section in patch.by_ref().take(sections(&path)) {
            file.binary |= section.binary;
            file.hunks.extend(section.hunks);
        }
        file.path = path.path;
        file
    };
    paths.into_iter().zip(sizes).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_look_like_heads_are_lines() {
        let text = b"diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@ fn\n-@@ -1 +1 @@\n-diff --git a/y b/y\n+diff --git a/z b/z\n+--- a\n++++ b\n\\ No newline at end of file\ndiff --git a/e b/e\nold mode 100644\nnew mode 100755\ndiff --git a/f b/f\n@@ -0,0 +1 @@\n+a\0b\n";
        let read = patch(text);
        assert_eq!(read.sections.len(), 3);
        let first = &read.sections[0].hunks[0];
        assert_eq!(first.removed, ["@@ -1 +1 @@", "diff --git a/y b/y"]);
        assert_eq!(first.added, ["diff --git a/z b/z", "--- a", "+++ b"]);
        assert!(read.sections[1].hunks.is_empty());
        assert!(read.sections[2].binary && read.sections[2].hunks[0].new_start == 1);
    }

    #[test]
    fn a_patch_may_end_anywhere() {
        let text = b"diff --git a/x b/x\n@@ -1 +1,2 @@\n-a\n+b\n+c\ndiff --git a/y b/y\n@@ -0,0 +1 @@\n+d\n";
        for end in 0..text.len() {
            let read = patch(&text[..end]);
            assert!(read.sections.len() <= 2);
        }
    }
}
