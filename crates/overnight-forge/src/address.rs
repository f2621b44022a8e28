//! From the URL of a git remote to the API of its forge.
//!
//! Owns no state. Must not keep credentials that stand in a URL, and must not let a path name anything but one owner
//! and one repository.

use std::fmt;

use reqwest::Url;

/// Longest owner or repository name that is believed (GitHub: 39 and 100 characters, Gitea: 40 and 100).
const MAX_NAME: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    GitHub,
    /// Also Forgejo, which speaks the same API.
    Gitea,
    GitLab,
}

/// A repository on a forge: owner and name consist of letters, digits, `-`, `_` and `.` only. On GitLab the owner may be
/// a group below others: `group/subgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeAddress {
    kind: ForgeKind,
    api_base: Url,
    owner: String,
    repo: String,
}

/// Text that cannot be part of a forge's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot be used as {what}: {why}")]
pub struct InvalidAddress {
    text: String,
    what: &'static str,
    why: &'static str,
}

impl ForgeAddress {
    /// # Errors
    /// [`InvalidAddress`] when `api_base` is no plain http(s) URL, or a name has other characters than forges allow.
    pub fn new(kind: ForgeKind, api_base: &str, owner: &str, repo: &str) -> Result<Self, InvalidAddress> {
        for (name, what) in [(owner, "an owner"), (repo, "a repository name")] {
            let fits = match kind {
                ForgeKind::GitLab if what == "an owner" => is_group(name),
                ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::GitLab => is_name(name),
            };
            if !fits {
                let why = "only letters, digits, '-', '_' and '.' are allowed";
                return Err(InvalidAddress { text: shortened(name), what, why });
            }
        }
        Ok(Self { kind, api_base: plain_url(api_base)?, owner: owner.to_owned(), repo: repo.to_owned() })
    }

    #[must_use]
    pub fn kind(&self) -> ForgeKind {
        self.kind
    }

    #[must_use]
    pub fn api_base(&self) -> &str {
        self.api_base.as_str()
    }

    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// `<api base>/<segments…>`, each segment encoded.
    pub(crate) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.api_base.clone();
        // An http URL always has a path, so there is nothing to do in the other case.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// `<api base>/repos/<owner>/<repo>/<segments…>`.
    pub(crate) fn repository_endpoint(&self, segments: &[&str]) -> Url {
        let mut all = vec!["repos", self.owner(), self.repo()];
        all.extend(segments);
        self.endpoint(&all)
    }

    /// GitLab's `<api base>/projects/<group%2Fsubgroup%2Frepo>/<segments…>`.
    pub(crate) fn project_endpoint(&self, segments: &[&str]) -> Url {
        let path = self.to_string();
        let mut all = vec!["projects", path.as_str()];
        all.extend(segments);
        self.endpoint(&all)
    }

    /// `https://host:port` of the API, for what a forge names without a host.
    pub(crate) fn web_origin(&self) -> String {
        self.api_base.origin().ascii_serialization()
    }

    /// GitHub's GraphQL endpoint: beside the REST API, on a server of one's own as well.
    pub(crate) fn graphql_endpoint(&self) -> Url {
        let mut url = self.api_base.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        match path.strip_suffix("/v3") {
            Some(above) => url.set_path(&format!("{above}/graphql")),
            None => url.set_path(&format!("{path}/graphql")),
        }
        url
    }
}

impl fmt::Display for ForgeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.repo)
    }
}

/// A forge that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownForge {
    kind: ForgeKind,
    web_base: Url,
    api_base: Url,
}

impl KnownForge {
    /// `web_base` is what a browser shows before `/<owner>/<repo>`: `https://git.example.com:8443/gitea`. The API is
    /// expected at the place where that kind of forge has it, unless `api_base` says otherwise.
    ///
    /// # Errors
    /// [`InvalidAddress`] when a URL is not http(s), or has credentials, a query or a fragment.
    pub fn new(kind: ForgeKind, web_base: &str, api_base: Option<&str>) -> Result<Self, InvalidAddress> {
        let web_base = plain_url(web_base)?;
        let api_base = match (api_base, kind) {
            (Some(given), ForgeKind::GitHub | ForgeKind::Gitea | ForgeKind::GitLab) => plain_url(given)?,
            (None, ForgeKind::GitHub) if web_base.host_str() == Some("github.com") => plain_url(GITHUB_API)?,
            (None, ForgeKind::GitHub) => below(&web_base, "api/v3"),
            (None, ForgeKind::Gitea) => below(&web_base, "api/v1"),
            (None, ForgeKind::GitLab) => below(&web_base, "api/v4"),
        };
        Ok(Self { kind, web_base, api_base })
    }
}

const GITHUB_API: &str = "https://api.github.com";
const GITLAB_API: &str = "https://gitlab.com/api/v4";
/// Names under which gitlab.com is reached; the second takes SSH on port 443.
const GITLAB_HOSTS: [&str; 3] = ["gitlab.com", "altssh.gitlab.com", "www.gitlab.com"];
/// GitLab's own limit on groups within groups.
const MAX_GROUPS: usize = 20;
/// Names under which github.com is reached; the second takes SSH on port 443.
const GITHUB_HOSTS: [&str; 3] = ["github.com", "ssh.github.com", "www.github.com"];

/// The forges of the configuration. github.com and gitlab.com are always known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownForges(Vec<KnownForge>);

impl KnownForges {
    #[must_use]
    pub fn new(forges: Vec<KnownForge>) -> Self {
        Self(forges)
    }
}

/// The forge and repository behind the URL of a git remote: `https://`, `http://`, `ssh://` or `user@host:path`.
/// `None` when its host is not known or its path does not name a repository.
#[must_use]
pub fn detect(remote_url: &str, known: &KnownForges) -> Option<ForgeAddress> {
    let remote = Remote::parse(remote_url)?;
    known.0.iter().find_map(|forge| remote.on(forge)).or_else(|| remote.on_public())
}

/// The parts of a remote's URL that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Remote {
    host: String,
    /// `None` for SSH, whose port says nothing about the forge.
    web_port: Option<u16>,
    /// Decoded, without `.git`.
    path: Vec<String>,
}

impl Remote {
    fn parse(text: &str) -> Option<Self> {
        if text.contains("://") { Self::from_url(text) } else { Self::from_scp(text) }
    }

    fn from_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let web_port = match url.scheme() {
            "http" | "https" => Some(url.port_or_known_default()?),
            "ssh" | "git+ssh" => None,
            _ => return None,
        };
        Some(Self { host: url.host_str()?.to_ascii_lowercase(), web_port, path: path_of(url.path())? })
    }

    /// `[user@]host:path`. A colon after a slash belongs to a local path.
    fn from_scp(text: &str) -> Option<Self> {
        let (place, path) = text.split_once(':')?;
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        // One letter before a colon is a drive on another system, not a host.
        let plain =
            host.len() > 1 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if !plain || host.starts_with('-') {
            return None;
        }
        Some(Self { host: host.to_ascii_lowercase(), web_port: None, path: path_of(path)? })
    }

    fn on(&self, forge: &KnownForge) -> Option<ForgeAddress> {
        let same_port = self.web_port.is_none() || self.web_port == forge.web_base.port_or_known_default();
        if forge.web_base.host_str() != Some(self.host.as_str()) || !same_port {
            return None;
        }
        let sub_path: Vec<&str> = forge.web_base.path().split('/').filter(|part| !part.is_empty()).collect();
        // Over SSH a forge below a sub-path is reached without it.
        let whole = self.web_port.is_none().then_some(self.path.as_slice());
        [after(&self.path, &sub_path), whole]
            .into_iter()
            .flatten()
            .find_map(|path| address(forge.kind, forge.api_base.as_str(), path))
    }

    fn on_public(&self) -> Option<ForgeAddress> {
        let usual_port = matches!(self.web_port, None | Some(80 | 443));
        let host = self.host.as_str();
        let (kind, api) = match usual_port {
            true if GITHUB_HOSTS.contains(&host) => (ForgeKind::GitHub, GITHUB_API),
            true if GITLAB_HOSTS.contains(&host) => (ForgeKind::GitLab, GITLAB_API),
            _ => return None,
        };
        address(kind, api, &self.path)
    }
}

/// The repository of a path: two names, or on GitLab a project below any number of groups.
fn address(kind: ForgeKind, api_base: &str, path: &[String]) -> Option<ForgeAddress> {
    let (repo, owner) = path.split_last()?;
    let fits = match kind {
        ForgeKind::GitHub | ForgeKind::Gitea => owner.len() == 1,
        ForgeKind::GitLab => !owner.is_empty(),
    };
    if !fits {
        return None;
    }
    ForgeAddress::new(kind, api_base, &owner.join("/"), repo).ok()
}

/// What follows `prefix` in `path`.
fn after<'a>(path: &'a [String], prefix: &[&str]) -> Option<&'a [String]> {
    let (head, rest) = path.split_at_checked(prefix.len())?;
    (head == prefix).then_some(rest)
}

/// The decoded segments of a path; `None` when one is empty or no name of an owner, repository or sub-path.
fn path_of(path: &str) -> Option<Vec<String>> {
    let path = path.trim_start_matches('/').trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.split('/').map(|part| decoded(part).filter(|name| is_name(name))).collect()
}

/// Names with slashes between them.
fn is_group(text: &str) -> bool {
    text.split('/').all(is_name) && text.split('/').count() <= MAX_GROUPS
}

fn is_name(text: &str) -> bool {
    let allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    allowed && !text.is_empty() && text.len() <= MAX_NAME && text != "." && text != ".."
}

/// `%41` becomes `A`. `None` for a broken escape or text that is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, after) = tail.split_at_checked(2)?;
            let digits =
                std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn plain_url(text: &str) -> Result<Url, InvalidAddress> {
    // The text itself may hold credentials, so only a harmless part of it is shown.
    let refuse = |why| InvalidAddress {
        text: shortened(text.rsplit('@').next().unwrap_or("")),
        what: "a forge's URL",
        why,
    };
    let url = Url::parse(text).map_err(|_| refuse("it is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not contain a user or a token"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must not contain '?' or '#'"));
    }
    Ok(url)
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/'));
    }
    url
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownForges {
        KnownForges::new(vec![
            KnownForge::new(ForgeKind::Gitea, "https://git.example.com:8443/gitea", None).unwrap(),
            KnownForge::new(ForgeKind::Gitea, "http://nas:3000", None).unwrap(),
            KnownForge::new(ForgeKind::GitHub, "https://ghe.example.com/", None).unwrap(),
            KnownForge::new(ForgeKind::GitLab, "https://lab.example.com/git", None).unwrap(),
        ])
    }

    fn shown(url: &str) -> Option<String> {
        detect(url, &known()).map(|a| format!("{:?} {} {a}", a.kind(), a.api_base()))
    }

    #[test]
    fn remotes_of_github_are_recognised_in_all_their_forms() {
        for url in [
            "https://github.com/octo/app.js",
            "https://github.com/octo/app.js.git",
            "https://GitHub.com/octo/app.js.git/",
            "https://x-access-token:ghp_secret@github.com/octo/app.js.git",
            "git@github.com:octo/app.js.git",
            "github.com:octo/app.js",
            "ssh://git@github.com/octo/app.js.git",
            "ssh://git@ssh.github.com:443/octo/app.js.git",
            "https://github.com/%6fcto/app.js",
        ] {
            assert_eq!(shown(url).as_deref(), Some("GitHub https://api.github.com/ octo/app.js"), "{url}");
        }
    }

    #[test]
    fn configured_hosts_match_with_port_and_sub_path() {
        let gitea = Some("Gitea https://git.example.com:8443/gitea/api/v1 o/r");
        assert_eq!(shown("https://git.example.com:8443/gitea/o/r.git").as_deref(), gitea);
        assert_eq!(shown("ssh://git@git.example.com:2222/o/r.git").as_deref(), gitea);
        assert_eq!(shown("git@git.example.com:o/r.git").as_deref(), gitea);
        assert_eq!(shown("https://git.example.com:8443/o/r.git"), None, "the sub-path is missing");
        assert_eq!(shown("https://git.example.com/gitea/o/r.git"), None, "another port is another server");
        assert_eq!(shown("http://nas:3000/o/r").as_deref(), Some("Gitea http://nas:3000/api/v1 o/r"));
        assert_eq!(
            shown("https://ghe.example.com/o/r").as_deref(),
            Some("GitHub https://ghe.example.com/api/v3 o/r")
        );
    }

    #[test]
    fn projects_of_gitlab_may_be_below_many_groups() {
        let here = |path: &str| Some(format!("GitLab https://gitlab.com/api/v4 {path}"));
        assert_eq!(shown("https://gitlab.com/g/r.git"), here("g/r"));
        assert_eq!(shown("git@gitlab.com:g/s/t/r.git"), here("g/s/t/r"));
        let own = Some("GitLab https://lab.example.com/git/api/v4 g/s/r");
        assert_eq!(shown("https://lab.example.com/git/g/s/r").as_deref(), own);
        assert_eq!(shown("git@lab.example.com:g/s/r.git").as_deref(), own);
        for bad in [
            "https://gitlab.com/r",
            "https://gitlab.com/g/../r",
            "https://gitlab.com/g//r",
            "https://gitlab.com/g/%2e%2e/r",
        ] {
            assert!(shown(bad).is_none_or(|found| found.ends_with(" r/r") || !found.contains("..")), "{bad}");
        }
        let address = ForgeAddress::new(ForgeKind::GitLab, GITLAB_API, "g/s", "r").unwrap();
        assert_eq!(
            address.project_endpoint(&["merge_requests"]).as_str(),
            "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/merge_requests"
        );
        assert!(ForgeAddress::new(ForgeKind::GitHub, GITHUB_API, "g/s", "r").is_err());
        assert!(ForgeAddress::new(ForgeKind::GitLab, GITLAB_API, "g/..", "r").is_err());
    }

    #[test]
    fn graphql_is_beside_the_rest_api() {
        for (api, graphql) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            ("https://h/x/api/v3/", "https://h/x/api/graphql"),
        ] {
            assert_eq!(
                ForgeAddress::new(ForgeKind::GitHub, api, "o", "r").unwrap().graphql_endpoint().as_str(),
                graphql
            );
        }
    }

    #[test]
    fn a_path_that_is_no_plain_owner_and_repository_is_refused() {
        for url in [
            "https://github.com/o",
            "https://github.com/o/r/tree/main",
            "https://github.com/o/%2e%2e",
            "https://github.com/o/r%2f..%2fx",
            "https://github.com/o/r%00",
            "https://github.com/o/r%zz",
            "https://github.com/o/r?x=1/2",
            "https://github.com.evil.org/o/r.git/x",
            "https://evil.org/github.com/o/r",
            "https://github.com@evil.org/o/r",
            "git@-oProxyCommand=x:o/r",
            "/srv/git/o/r.git",
            "./a:b/c",
            "C:o/r",
            "file:///srv/o/r",
            "",
        ] {
            let found = shown(url);
            // A query is dropped by git as well; what is left names one repository.
            assert!(found.is_none() || url.contains('?'), "{url} gave {found:?}");
        }
    }

    #[test]
    fn an_endpoint_stays_below_the_api_base() {
        let address = ForgeAddress::new(ForgeKind::Gitea, "http://h:3000/sub/api/v1/", "o", "r").unwrap();
        assert_eq!(
            address.repository_endpoint(&["pulls", "a/b c"]).as_str(),
            "http://h:3000/sub/api/v1/repos/o/r/pulls/a%2Fb%20c"
        );
        for bad in ["ftp://h", "https://t0ken@h/api", "https://h/api?x", "h"] {
            let error = ForgeAddress::new(ForgeKind::Gitea, bad, "o", "r").unwrap_err();
            assert!(!error.to_string().contains("t0ken"), "{error}");
        }
        assert!(ForgeAddress::new(ForgeKind::Gitea, "https://h", "..", "r").is_err());
    }
}
