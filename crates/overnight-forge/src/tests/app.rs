//! Speaking for a GitHub App: the statement's signature, the token's life, and that neither is seen anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use overnight_core::units::Timestamp;
use overnight_testkit::forge::{Fault, On};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};

use super::*;
use crate::{AppKey, ErrorClass, NewComment, Thread};

/// Made for this test with `openssl genrsa -traditional 2048`; PKCS#1, without its first and last line.
const KEY: &str = include_str!("app_key.txt");
const NOW: Timestamp = Timestamp(1_709_164_800_000);

fn app(now: fn() -> Timestamp) -> AppKey {
    let pem = format!("-----BEGIN {0}-----\n{KEY}-----END {0}-----\n", "RSA PRIVATE KEY");
    AppKey { id: "Iv1.abc".to_owned(), private_key: Secret::new(&pem), now }
}

async fn bench_of_app(now: fn() -> Timestamp, life: i64) -> Bench {
    let bench = bench(Flavour::GitHub).await;
    bench.fake.add_app(life);
    let forge = Forge::connect_app(bench.forge.address().clone(), &app(now), quick()).unwrap();
    Bench { forge, ..bench }
}

#[tokio::test]
async fn a_signed_statement_becomes_a_token_that_is_used_until_shortly_before_its_end() {
    let bench = bench_of_app(|| NOW, 3_600).await;
    let (a, b) = tokio::join!(bench.forge.repository(), bench.forge.open_pull_request(&bench.request));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(bench.fake.app_tokens(), 1, "two at once make one token");
    let token = bench.forge.token().await.unwrap();
    assert_eq!((token.expose(), bench.fake.leaks("ghs_").len()), ("ghs_1", 0));
    let asked = &bench.fake.requests_on(On::MakeToken)[0];
    let statement = asked.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    let (signed, signature) = statement.rsplit_once('.').unwrap();
    let der: String = KEY.split_whitespace().collect();
    let pair = RsaKeyPair::from_der(&STANDARD.decode(der).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let part = |at: usize| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').nth(at).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(part(0)["alg"], "RS256");
    let (from, to) = (part(1)["iat"].as_i64().unwrap(), part(1)["exp"].as_i64().unwrap());
    assert_eq!((part(1)["iss"].as_str(), from < NOW.0 / 1_000), (Some("Iv1.abc"), true));
    assert!(to > NOW.0 / 1_000 && to - from <= 600, "GitHub takes ten minutes at most");
    assert!(!format!("{:?}", bench.forge).contains("MII"));
    // Our own comments are known by the App's name.
    let note = NewComment { job: JobId::parse("job-1").unwrap(), topic: "x".to_owned(), text: String::new() };
    bench.forge.comment(Thread::PullRequest(1), &note).await.unwrap();
    assert!(bench.forge.comment(Thread::PullRequest(1), &note).await.unwrap().adopted);
}

#[tokio::test]
async fn a_token_near_its_end_or_refused_is_replaced() {
    let bench = bench_of_app(|| NOW, 200).await;
    bench.forge.repository().await.unwrap();
    bench.forge.repository().await.unwrap();
    assert_eq!(bench.fake.app_tokens(), 2, "200 seconds are too few for an operation");
    let bench = bench_of_app(|| NOW, 3_600).await;
    bench.forge.repository().await.unwrap();
    bench.fake.inject(On::GetRepository, Fault::Status(401));
    assert_eq!(bench.forge.repository().await.unwrap_err().class(), ErrorClass::Auth);
    bench.forge.repository().await.unwrap();
    assert_eq!(bench.fake.app_tokens(), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_an_error_without_secrets() {
    for fault in [
        Fault::Status(401),
        Fault::Status(404),
        Fault::EchoAuthorization(403),
        Fault::CommitThenWrongShape,
        Fault::HtmlPage,
    ] {
        let bench = bench_of_app(|| NOW, 3_600).await;
        bench.fake.inject(On::MakeToken, fault.clone());
        let error = bench.forge.repository().await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("eyJ") && !shown.contains("ghs_"), "{fault:?}: {shown}");
    }
    let address = bench(Flavour::GitHub).await.forge.address().clone();
    for pem in ["", "x", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"] {
        let broken = AppKey { private_key: Secret::new(pem), ..app(|| NOW) };
        let error = Forge::connect_app(address.clone(), &broken, quick()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unusable);
    }
    let gitea = ForgeAddress::new(ForgeKind::Gitea, "https://h", "o", "r").unwrap();
    assert!(Forge::connect_app(gitea, &app(|| NOW), quick()).is_err());
}
