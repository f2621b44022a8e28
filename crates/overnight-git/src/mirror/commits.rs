//! The commits that go out with a result, as they are stored: whose names they bear and everything that is written in them. They are
//! read raw, because a log shows only what it knows of.

use overnight_core::git::CommitId;
use overnight_core::policy::preflight::Commit;

use super::Mirror;
use crate::error::GitError;
use crate::git::unexpected;

/// Commits of one result that are looked at.
const MAX_COMMITS: usize = 1_000;
/// Bytes of them. A message is a few hundred; who writes megabytes hides something.
const MAX_BYTES: u64 = 16 << 20;

/// Commits, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    pub read: Vec<Commit>,
    /// There are more than were read.
    pub cut: bool,
}

impl Mirror {
    /// The commits that `tip` has, and neither `base` nor `known`, whose commits are out already.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn commits(
        &self,
        base: &CommitId,
        tip: &CommitId,
        known: Option<&CommitId>,
    ) -> Result<Commits, GitError> {
        let operation = "list commits";
        let call = self.call(operation).about(base).about(tip);
        let call = call.arg("rev-list").arg(format!("--max-count={}", MAX_COMMITS + 1)).arg(tip.as_str());
        let call = call.args(std::iter::once(base).chain(known).map(|id| format!("^{id}")));
        let listed = call.arg("--").output().await?;
        let ids = String::from_utf8(listed).map_err(|error| unexpected(operation, error.as_bytes()))?;
        let more = ids.lines().count() > MAX_COMMITS;
        let asked: String = ids.lines().take(MAX_COMMITS).map(|id| format!("{id}\n")).collect();
        if asked.is_empty() {
            return Ok(Commits::default());
        }
        let operation = "read commits";
        let call = self.call(operation).about(base).about(tip).args(["cat-file", "--batch"]);
        let ran = call.stdin(asked.into_bytes()).output_limit(MAX_BYTES).finish().await?;
        if ran.status != 0 && !ran.truncated {
            return Err(ran.failed(operation, format!("{base}, {tip}")));
        }
        let read = batch(&ran.stdout, ran.truncated).ok_or_else(|| unexpected(operation, &ran.stdout))?;
        Ok(Commits { read, cut: more || ran.truncated })
    }
}

/// What `cat-file --batch` says of commits: `ID commit SIZE`, a line end, the object and another line end, again and again.
fn batch(mut rest: &[u8], cut: bool) -> Option<Vec<Commit>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let Some((entry, behind)) = entry(rest) else { return cut.then_some(found) };
        found.push(entry);
        rest = behind;
    }
    Some(found)
}

fn entry(text: &[u8]) -> Option<(Commit, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&text[..end]).ok()?;
    let (id, size) = head.split_once(" commit ")?;
    let size: usize = size.parse().ok()?;
    let raw = text.get(end + 1..)?.get(..size)?;
    let behind = text.get(end + 1 + size + 1..)?;
    Some((commit(id, raw), behind))
}

fn commit(id: &str, raw: &[u8]) -> Commit {
    let seam = raw.windows(2).position(|pair| pair == b"\n\n").unwrap_or(raw.len());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let of_git = |line: &&str| !line.starts_with("tree ") && !line.starts_with("parent ");
    let header = text(&raw[..seam]);
    let header: Vec<&str> = header.lines().filter(of_git).collect();
    // A name ends where its address does; what follows is the time.
    let who = |field: &str| {
        let line = header.iter().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        line.rfind('>').map_or(line, |end| &line[..=end]).to_owned()
    };
    Commit {
        id: id.to_owned(),
        author: who("author "),
        committer: who("committer "),
        header: header.join("\n"),
        message: raw.get(seam + 2..).map(text).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::{Lab, git, head};

    #[tokio::test]
    async fn commits_are_read_as_they_are_stored_and_what_is_cut_says_so() {
        let lab = Lab::new().await;
        let repo = lab.repo("repo");
        let base = head(&repo);
        fs::write(repo.join("a"), "1\n").unwrap();
        git(&repo, ["add", "-A"]);
        git(&repo, ["commit", "-q", "--author", "Boss <boss@example.org>", "-m", "One\n\ntwo\n\nthree"]);
        // What no log shows: a header of one's own, and what stands behind a NUL.
        let raw = format!(
            "tree {}\nparent {}\nauthor A <a@b.c> 1 +0000\ncommitter C <c@d.e> 2 +0000\nx-note in the header\n\nseen\0unseen\n",
            git(&repo, ["rev-parse", "HEAD^{tree}"]).trim(),
            head(&repo),
        );
        fs::write(repo.join("raw"), raw).unwrap();
        let made = git(&repo, ["hash-object", "-t", "commit", "-w", "--literally", "raw"]);
        git(&repo, ["update-ref", "HEAD", made.trim()]);
        let mirror = lab.mirror(&repo).await;
        let tip = head(&repo);
        let objects = repo.join(".git/objects");
        fs::write(mirror.path().join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();

        let found = mirror.commits(&base, &tip, None).await.unwrap();
        assert!(!found.cut);
        let [newest, oldest] = &found.read[..] else { panic!("{found:?}") };
        assert_eq!((newest.author.as_str(), newest.committer.as_str()), ("A <a@b.c>", "C <c@d.e>"));
        assert!(newest.header.contains("x-note in the header") && !newest.header.contains("tree "));
        assert_eq!(newest.message, "seen\0unseen\n");
        assert_eq!(
            (oldest.author.as_str(), oldest.message.as_str()),
            ("Boss <boss@example.org>", "One\n\ntwo\n\nthree\n")
        );
        // What is out already is nobody's news.
        let known = CommitId::parse(&oldest.id).unwrap();
        assert_eq!(mirror.commits(&base, &tip, Some(&known)).await.unwrap().read.len(), 1);
        assert_eq!(mirror.commits(&tip, &tip, None).await.unwrap(), Commits::default());
    }

    #[test]
    fn what_is_cut_off_or_strange_is_not_taken_for_whole() {
        let one = b"c0 commit 9\ntree x\n\nm\n";
        assert_eq!(batch(one, false).unwrap()[0].message, "m");
        let two = [&one[..], b"c1 commit 900\ntree"].concat();
        assert_eq!(batch(&two, false), None);
        assert_eq!(batch(&two, true).unwrap().len(), 1);
        assert_eq!(batch(b"c0 missing\n", false), None);
    }
}
