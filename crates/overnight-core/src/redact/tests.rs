//! What must never get through, however it is written and wherever it is cut.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "hunter2/p+ss wörd\"x";

fn redactor(secrets: &[&str]) -> Redactor {
    let (redactor, warnings) = Redactor::new(secrets.iter().copied());
    assert_eq!(warnings, []);
    redactor
}

fn shown(redactor: &Redactor, text: &str) -> String {
    redactor.redact_text(text).into_owned()
}

#[test]
fn a_secret_is_found_in_all_its_usual_forms() {
    let redactor = redactor(&[SECRET]);
    let base64 = |before: &str, after: &str| STANDARD.encode(format!("{before}{SECRET}{after}"));
    let forms = [
        SECRET.to_owned(),
        URL_SAFE_NO_PAD.encode(SECRET),
        "hunter2%2Fp%2Bss%20w%C3%B6rd%22x".to_owned(),
        "hunter2%2fp%2bss%20w%c3%b6rd%22x".to_owned(),
        "hunter2%2Fp%2Bss+w%C3%B6rd%22x".to_owned(),
        r#"hunter2/p+ss wörd\"x"#.to_owned(),
        r#"hunter2\/p+ss wörd\"x"#.to_owned(),
        r#"hunter2/p+ss w\u00f6rd\"x"#.to_owned(),
        "68756e746572322f702b73732077c3b672642278".to_owned(),
    ];
    for form in forms {
        assert_eq!(shown(&redactor, &format!("token={form};")), "token=[redacted];", "{form}");
    }
    for (before, after) in [("", ""), ("u:", ""), ("user:", "\n"), ("x", "yz"), ("xyz", "!")] {
        let line = base64(before, after);
        let out = shown(&redactor, &line);
        assert!(out.contains(REPLACEMENT), "{before}…{after}: {out}");
        assert!(out.len() - REPLACEMENT.len() <= 12, "too much is left of {before}…{after}: {out}");
    }
}

#[test]
fn each_line_of_a_key_file_is_a_mask() {
    let value = "first line of it\nab\n  second line of it  \n";
    let redactor = redactor(&[value]);
    assert_eq!(shown(&redactor, "x second line of it y"), "x [redacted] y");
    assert_eq!(shown(&redactor, "ab"), "ab");
    assert_eq!(shown(&redactor, &serde_json::to_string(value.trim()).unwrap()), "\"[redacted]\"");
    let long = "k".repeat(50) + &"v".repeat(50);
    let (redactor, _) = Redactor::new([long.as_str()]);
    let encoded = STANDARD.encode(&long);
    let wrapped = format!("{}\n{}\n", &encoded[..76], &encoded[76..]);
    assert_eq!(shown(&redactor, &wrapped).replace('=', ""), "[redacted]\n[redacted]\n".replace('=', ""));
}

#[test]
fn short_secrets_are_refused_without_being_named() {
    let (redactor, warnings) = Redactor::new(["", "  ", "hunter2", "ab\ncd\nef\ngh", "long-enough"]);
    assert_eq!(warnings, [Warning::TooShort { index: 2, bytes: 7 }, Warning::ShortLines { index: 3 }]);
    assert!(!warnings.iter().any(|warning| warning.to_string().contains("hunter2")));
    assert_eq!(shown(&redactor, "hunter2 long-enough"), "hunter2 [redacted]");
    assert!(!format!("{redactor:?}").contains("long-enough"));
}

#[test]
fn overlapping_secrets_leave_nothing_behind() {
    let redactor = redactor(&["abcdefghij", "efghijklmn", "defghijk"]);
    assert_eq!(shown(&redactor, "-abcdefghijklmn-"), "-[redacted]-");
    assert_eq!(shown(&redactor, "abcdefghijabcdefghij"), "[redacted][redacted]");
}

#[test]
fn token_shapes_are_found_without_being_told() {
    let redactor = redactor(&[]);
    let run = |c: &str, n: usize| c.repeat(n);
    let tokens = [
        format!("sk-ant-api03-{}", run("aB3_-", 8)),
        format!("sk-proj-{}", run("aB3", 10)),
        format!("sk-{}", run("aB3d", 12)),
        format!("ghp_{}", run("a1B2", 9)),
        format!("ghs_{}", run("a1B2", 9)),
        format!("github_pat_{}", run("a1B2_", 16)),
        format!("glpat-{}", run("a1B2", 5)),
        format!("xoxb-{}", run("123-", 6)) + "x",
        format!("AKIA{}", run("A1B2", 4)),
        format!("AIza{}", run("a1B2_", 7)),
        format!("eyJ{0}.eyJ{0}.{0}", run("a1B2", 5)),
    ];
    for token in tokens {
        assert_eq!(shown(&redactor, &format!("key: {token} end")), "key: [redacted] end", "{token}");
        assert_eq!(shown(&redactor, &format!("\"{token}\"")), "\"[redacted]\"");
    }
    let headers = [
        ("Authorization: Bearer abc.def.123456", "Authorization: Bearer [redacted]"),
        ("authorization: token 12345678", "authorization: token [redacted]"),
        (r#""Authorization": "Basic dXNlcjpwYXNzMQ==""#, r#""Authorization": "Basic [redacted]""#),
        ("curl -H bearer a1b2c3d4e5f6g7h8", "curl -H bearer [redacted]"),
    ];
    for (line, out) in headers {
        assert_eq!(shown(&redactor, line), out);
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let redactor = redactor(&["a-secret-value"]);
    let lines = [
        "test risk-assessment-of-a-very-long-kebab-case-name ... ok",
        "import sk-learn-contrib-imbalanced-ensembles",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Bearer authentication-scheme is required",
        "Authorization: Basic realm",
        "the ghp_ prefix and AKIA and eyJ are prefixes",
        "----------------------------------------------------------------",
        r#"assert line == "nothing secret" # -----BEGIN CERTIFICATE-----"#,
    ];
    for line in lines {
        assert!(matches!(redactor.redact_line(line.as_bytes()), Cow::Borrowed(_)), "{line}");
    }
}

fn pem() -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    format!(
        "-----BEGIN PRIVATE KEY-----\n{line}\n{line}\nMzEfYyjiWA4R4/M2bS1GB4t7\n-----END PRIVATE KEY-----"
    )
}

#[test]
fn private_keys_go_as_a_whole() {
    let redactor = redactor(&[]);
    assert_eq!(shown(&redactor, &format!("a\n{}\nb", pem())), "a\n[redacted]\nb");
    assert_eq!(
        shown(&redactor, &format!("{{\"k\":\"{}\"}}", pem().replace('\n', "\\n"))),
        "{\"k\":\"[redacted]\"}"
    );
    assert_eq!(shown(&redactor, pem().lines().nth(1).unwrap()), REPLACEMENT);
    let mut stream = RedactStream::new(&redactor);
    let out = [stream.push(format!("a\n{}\nb MzEf\n", pem()).as_bytes()), stream.finish()].concat();
    let expected = format!("a\n{}b MzEf\n", "[redacted]\n".repeat(5));
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    // A mention of the first line does not black out the rest of a log.
    let mut stream = RedactStream::new(&redactor);
    let out = stream.push(b"x = \"-----BEGIN RSA PRIVATE KEY-----\"\nnext: line\nplain\n");
    assert_eq!(out, b"x = \"[redacted]\"\nnext: line\nplain\n");
}

#[test]
fn endless_lines_leave_in_parts_and_hide_what_lies_across() {
    let redactor = redactor(&["0123456789abcdef"]);
    let mut text = "x".repeat(200_000);
    for at in (1_000..190_000).step_by(997) {
        text.replace_range(at..at + 16, "0123456789abcdef");
    }
    for size in [1_000, 65_536, 65_537, 200_000] {
        let mut stream = RedactStream::new(&redactor);
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            out.extend(stream.push(chunk));
            assert!(stream.line.len() <= 2 * 65_536 + 1, "{}", stream.line.len());
        }
        out.extend(stream.finish());
        assert!(out == shown(&redactor, &text).as_bytes(), "chunks of {size}");
    }
    let flood = "a".repeat(300_000);
    let (redactor, _) = Redactor::new(["aaaaaaaa"]);
    let mut stream = RedactStream::new(&redactor);
    let out = [stream.push(flood.as_bytes()), stream.finish()].concat();
    assert_eq!(out, REPLACEMENT.as_bytes());
}

/// The redacted stream when it is cut at each of `cuts`.
fn streamed(redactor: &Redactor, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = RedactStream::new(redactor);
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts {
        out.extend(stream.push(&text[from..*cut]));
        from = *cut;
    }
    out.extend(stream.push(&text[from..]));
    out.extend(stream.finish());
    out
}

proptest! {
    #[test]
    fn no_cut_lets_a_secret_through(
        secret in r#"[a-zA-Z0-9/+ "äß€]{8,40}"#,
        before in "[a-z.\n]{0,20}",
        between in "[a-z.\n]{0,20}",
        form in 0_usize..4,
    ) {
        let secret = secret.trim();
        prop_assume!(secret.len() >= MIN_SECRET);
        let written = match form {
            0 => secret.to_owned(),
            1 => STANDARD.encode(secret),
            2 => serde_json::to_string(secret).unwrap(),
            _ => secret.bytes().map(|b| format!("{b:02x}")).collect(),
        };
        let (redactor, _) = Redactor::new([secret]);
        let text = format!("{before}<{written}>{between}<{written}>");
        let whole = redactor.redact_line(text.as_bytes()).into_owned();
        let core = written.trim_matches(['"', '=']);
        let core: String = core.chars().take(core.chars().count() - 1).collect();
        prop_assert!(!String::from_utf8_lossy(&whole).contains(&core));
        for cut in 0..=text.len() {
            prop_assert!(streamed(&redactor, text.as_bytes(), &[cut]) == whole, "cut at {}", cut);
        }
        let every: Vec<usize> = (0..=text.len()).collect();
        prop_assert_eq!(streamed(&redactor, text.as_bytes(), &every), whole);
    }

    #[test]
    fn bytes_without_secrets_come_out_as_they_went_in(
        text in proptest::collection::vec(any::<u8>(), 0..400),
        size in 1_usize..50,
    ) {
        let (redactor, _) = Redactor::new(["correct horse battery staple"]);
        let cuts: Vec<usize> = (0..text.len()).step_by(size).collect();
        prop_assert_eq!(streamed(&redactor, &text, &cuts), text.clone());
        prop_assert!(matches!(redactor.redact_line(&text), Cow::Borrowed(_)));
    }
}
