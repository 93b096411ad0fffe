//! Images of registries that speak the OCI distribution API, at the command line: a small one that fails on purpose, and
//! Debian's, which `tests/real/registry.py` starts.

use std::fs;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, promising};
use crate::support::registry::{BASIC, Door, Fault, IDENTITY, REPOSITORY, Registry};

/// What is never to be seen.
const SECRETS: [&str; 5] = ["0SECRET0", "0TOKEN0", "0IDENTITY0", "0SIGNED0", BASIC];

/// Exit code, standard output and standard error of a check, with docker's configuration in a directory of its own.
fn check(reference: &str, config: Option<&TempDir>) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    let config = config.map_or("/nonexistent".into(), |config| config.path().to_owned());
    let path = format!("{}:/usr/bin:/bin", config.display());
    command.env_clear().envs([("HOME", "/nonexistent"), ("PATH", &path)]).env("DOCKER_CONFIG", config);
    let output = command.args(["check", reference, "--runtime", "ecs/arm64", "--format", "json"]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    for secret in SECRETS {
        assert!(!out.contains(secret) && !err.contains(secret), "{secret} is in:\n{out}{err}");
    }
    (output.status.code().unwrap(), out, err)
}

/// A layout with an OCI image, one of Docker's kind and an index.
fn layout() -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm64, docker) = (layout.image("amd64"), layout.image("arm64"), layout.docker("arm64"));
    let both = layout.index(&[promising(&amd64, "linux", "amd64"), promising(&arm64, "linux", "arm64")]);
    for (tag, image) in [("oci", arm64), ("docker", docker), ("index", both), ("latest", amd64)] {
        layout.tag(tag, &image);
    }
    layout
}

/// The image is said to be what its layout says, byte for byte but for the reference.
#[track_caller]
fn same(layout: &Builder, registry: &Registry, end: &str, config: Option<&TempDir>) {
    let reference = format!("{}/{REPOSITORY}{end}", registry.address());
    let of_layout = format!("oci:{}{}", layout.path().display(), if end.is_empty() { ":latest" } else { end });
    let (expected, found) = (check(&of_layout, None), check(&reference, config));
    assert_eq!(found.2, "");
    assert_eq!(found.0, expected.0);
    assert_eq!(found.1.replace(&reference, "REFERENCE"), expected.1.replace(&of_layout, "REFERENCE"));
    assert!(found.1.contains("REFERENCE") || found.1.contains(&reference));
}

/// What is said of `oci`, where it cannot be read; the registry is called AT.
#[track_caller]
fn fails(registry: &Registry, config: Option<&TempDir>, expected: Expect) {
    let (code, out, err) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), config);
    assert_eq!((code, out.as_str()), (2, ""));
    expected.assert_eq(&err.replace(&registry.address(), "AT"));
}

fn config(document: &Value) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("config.json"), document.to_string()).unwrap();
    directory
}

fn me(registry: &Registry) -> TempDir {
    config(&json!({"auths": {registry.address(): {"auth": BASIC}}}))
}

#[test]
fn an_open_registry_says_what_a_layout_says() {
    let layout = layout();
    let registry = Registry::new(&layout, Door::Open);
    let digest = layout_digest(&layout, "oci");
    for end in [":oci", ":docker", ":index", "", &format!("@{digest}"), &format!(":oci@{digest}")] {
        same(&layout, &registry, end, None);
    }
    let asked = registry.requests("manifests");
    assert!(asked.iter().all(|request| request.header("accept").unwrap().split(", ").count() == 6));
    let (code, _, _) = check(&format!("docker://{}/{REPOSITORY}:oci", registry.address()), None);
    assert_eq!(code, 0);
}

fn layout_digest(layout: &Builder, tag: &str) -> String {
    let (_, out, _) = check(&format!("oci:{}:{tag}", layout.path().display()), None);
    let report: Value = serde_json::from_str(&out).unwrap();
    report["image"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn credentials_are_docker_s_and_go_where_they_belong() {
    let layout = layout();
    let basic = Registry::new(&layout, Door::Basic);
    same(&layout, &basic, ":index", Some(&me(&basic)));
    // With a token for everybody, a stranger asks as one.
    let token = Registry::new(&layout, Door::Token);
    same(&layout, &token, ":index", None);
    assert_eq!(token.requests("token").len(), 1);
    let mine = Registry::new(&layout, Door::TokenForMe);
    same(&layout, &mine, ":oci", Some(&me(&mine)));
    let identity = config(&json!({"auths": {mine.address(): {"auth": "MDo=", "identitytoken": IDENTITY}}}));
    same(&layout, &mine, ":oci", Some(&identity));
    let helped = config(&json!({"credHelpers": {mine.address(): "small"}}));
    let helper = helped.path().join("docker-credential-small");
    // Like any helper it reads the server's name first; without, the name may meet a closed pipe.
    let script = helped.path().join("script");
    fs::write(&script, "#!/bin/sh\ncat >/dev/null\necho '{\"Username\":\"me\",\"Secret\":\"0SECRET0\"}'\n").unwrap();
    // By another process: what a test beside this one starts must not hold the file open for writing.
    assert!(Command::new("install").args(["-m", "755"]).args([&script, &helper]).status().unwrap().success());
    same(&layout, &mine, ":oci", Some(&helped));
    // A token that runs out in the middle is replaced.
    mine.fault("blobs", 1, Fault::Expired);
    same(&layout, &mine, ":oci", Some(&me(&mine)));
}

#[test]
fn a_stranger_is_told_to_log_in() {
    let layout = layout();
    let basic = Registry::new(&layout, Door::Basic);
    fails(
        &basic,
        None,
        expect![[r#"
        error: pull on AT/team/app was denied: allow the caller this action on this resource: the registry answered with status 401 (UNAUTHORIZED: as said)

        hint: log in with `docker login AT`, if the repository exists
    "#]],
    );
    let wrong = config(&json!({"auths": {basic.address(): {"auth": "bWU6d3Jvbmc="}}}));
    fails(
        &basic,
        Some(&wrong),
        expect![[r#"
        error: pull on AT/team/app was denied: allow the caller this action on this resource: the registry answered with status 401 (UNAUTHORIZED: as said)

        hint: docker's credentials do not allow it: `docker login AT` takes others
    "#]],
    );
    let token = Registry::new(&layout, Door::TokenForMe);
    fails(
        &token,
        None,
        expect![[r#"
        error: pull on AT/team/app was denied: allow the caller this action on this resource: the token service answered with status 401

        hint: log in with `docker login AT`, if the repository exists
    "#]],
    );
    let wrong = config(&json!({"auths": {token.address(): {"auth": "bWU6d3Jvbmc="}}}));
    fails(
        &token,
        Some(&wrong),
        expect![[r#"
        error: pull on AT/team/app was denied: allow the caller this action on this resource: the token service answered with status 401

        hint: docker's credentials do not allow it: `docker login AT` takes others
    "#]],
    );
    let helped = config(&json!({"credsStore": "missing"}));
    let (_, _, err) = check(&format!("{}/{REPOSITORY}:oci", token.address()), Some(&helped));
    assert!(err.contains("names a credential helper that cannot be run"), "{err}");
}

#[test]
fn a_password_goes_to_no_untrusted_token_service() {
    let layout = layout();
    let registry = Registry::new(&layout, Door::TokenForMe);
    registry.fault("manifests", 9, Fault::Challenges(r#"Bearer realm="http://evil.example/token",service="x""#));
    fails(
        &registry,
        Some(&me(&registry)),
        expect![[r#"
        error: pull on AT/team/app failed: the registry names a token service whose address is not an https one
    "#]],
    );
}

#[test]
fn blobs_are_fetched_where_the_registry_sends_but_without_its_secrets() {
    let layout = layout();
    let (registry, storage) = (Registry::new(&layout, Door::Token), Registry::new(&layout, Door::Open));
    registry.fault("blobs", 9, Fault::Redirected(format!("http://{}/storage/", storage.address())));
    same(&layout, &registry, ":index", None);
    let fetched = storage.requests("storage");
    assert!(!fetched.is_empty());
    assert!(fetched.iter().all(|request| request.header("authorization").is_none()));
    // An address that has run out is asked for again.
    storage.fault("storage", 1, Fault::Status(403, "0SIGNED0"));
    same(&layout, &registry, ":oci", None);
    storage.fault("storage", 9, Fault::Status(403, "0SIGNED0"));
    fails(
        &registry,
        None,
        expect![[r#"
        error: blob sha256:791ea16c929c1910b0ba6c1bfd3d1a8c63b48761716c8f1e2a67293ddf409050 did not arrive whole: the storage service answered with status 403
    "#]],
    );
}

#[test]
fn redirects_lead_to_https_or_this_machine_and_end() {
    let layout = layout();
    for (to, expected) in [
        (
            "http://evil.example/storage/",
            expect![[r#"
            error: pull on AT/team/app failed: the registry redirects to an address that is not an https one
        "#]],
        ),
        (
            "ftp://127.0.0.1/storage/",
            expect![[r#"
            error: pull on AT/team/app failed: the registry redirects to an address that is not an https one
        "#]],
        ),
        (
            "elsewhere/",
            expect![[r#"
            error: pull on AT/team/app failed: the registry redirects to nowhere
        "#]],
        ),
        (
            "/v2/team/app/blobs/",
            expect![[r#"
            error: pull on AT/team/app failed: the registry redirects more than 5 times
        "#]],
        ),
    ] {
        let registry = Registry::new(&layout, Door::Open);
        registry.fault("blobs", 99, Fault::Redirected(to.to_owned()));
        fails(&registry, None, expected);
    }
    let registry = Registry::new(&layout, Door::Open);
    registry.fault("blobs", 1, Fault::Redirected("/v2/team/app/blobs/".to_owned()));
    registry.fault("blobs", 1, Fault::Redirected("//AT/storage/".to_owned()));
    same(&layout, &registry, ":oci", None);
}

#[test]
fn what_is_not_there_is_told_from_what_fails() {
    let layout = layout();
    let registry = Registry::new(&layout, Door::Open);
    let said = |name: &str| check(&format!("{}/{name}", registry.address()), None).2.replace(&registry.address(), "AT");
    expect![[r#"
        error: AT/team/app:none is not there

        hint: the tags in AT/team/app that are nearest to `none`: `oci`, `docker` and `index`
    "#]]
    .assert_eq(&said("team/app:none"));
    expect![[r#"
        error: pull: AT/team/other does not exist: the registry answered with status 404 (NAME_UNKNOWN: as said)

        hint: check the repository's name
    "#]]
    .assert_eq(&said("team/other:v1"));
    let other = format!("team/app:latest@{}", layout_digest(&layout, "oci"));
    expect![[r#"
        error: AT/team/app:latest@sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63 is not there

        hint: its tag may point at another image by now: without it, the digest alone counts
    "#]]
    .assert_eq(&said(&other));
}

#[test]
fn failures_pass_or_are_said() {
    let layout = layout();
    // Once is no harm.
    for fault in [Fault::Status(500, ""), Fault::Truncated, Fault::Corrupted] {
        let registry = Registry::new(&layout, Door::Open);
        registry.fault("blobs", 1, fault);
        same(&layout, &registry, ":oci", None);
    }
    let limit = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
    for (kind, fault, expected) in [
        (
            "manifests",
            Fault::Status(500, "oh"),
            expect![[r#"
            error: pull on AT/team/app failed: the registry answered with status 500
        "#]],
        ),
        (
            "manifests",
            Fault::Status(429, limit),
            expect![[r#"
                error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: You have reached your pull rate limit.)

                hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
            "#]],
        ),
        (
            "manifests",
            Fault::Status(403, ""),
            expect![[r#"
            error: pull on AT/team/app was denied: allow the caller this action on this resource: the registry answered with status 403

            hint: log in with `docker login AT`, if the repository exists
        "#]],
        ),
        (
            "manifests",
            Fault::Corrupted,
            expect![[r#"
            error: manifest sha256:4ee3cf81acdf23abea5d997f18087f74e67b05373f7661e3a18f7cc1138ced63 arrived as sha256:400ecf97db5bd60045eb77e2a293334807f2cbf3c8c8cc8f2db547d34bbc6319
        "#]],
        ),
        (
            "manifests",
            Fault::Truncated,
            expect![[r#"
            error: pull on AT/team/app failed: the manifest broke off
        "#]],
        ),
        (
            "blobs",
            Fault::Status(503, ""),
            expect![[r#"
            error: pull on AT/team/app failed: the registry answered with status 503
        "#]],
        ),
        (
            "blobs",
            Fault::Status(429, limit),
            expect![[r#"
                error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: You have reached your pull rate limit.)

                hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
            "#]],
        ),
        (
            "blobs",
            Fault::Truncated,
            expect![[r#"
            error: blob sha256:791ea16c929c1910b0ba6c1bfd3d1a8c63b48761716c8f1e2a67293ddf409050 did not arrive whole: it broke off after 62 bytes
        "#]],
        ),
        (
            "blobs",
            Fault::Corrupted,
            expect![[r#"
            error: blob sha256:791ea16c929c1910b0ba6c1bfd3d1a8c63b48761716c8f1e2a67293ddf409050 did not arrive whole: its 124 bytes have another digest
        "#]],
        ),
    ] {
        let registry = Registry::new(&layout, Door::Open);
        registry.fault(kind, 99, fault);
        fails(&registry, None, expected);
    }
    let registry = Registry::new(&layout, Door::Token);
    registry.fault("token", 99, Fault::Status(429, ""));
    fails(
        &registry,
        None,
        expect![[r#"
            error: pull on AT/team/app failed: the token service allows no more requests for now, status 429

            hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
        "#]],
    );
}

#[test]
fn layers_are_held_against_their_digests_too() {
    let layout = layout();
    let layer = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let layer = layer["digest"].as_str().unwrap();
    for (fault, expected) in [
        (
            Fault::Truncated,
            expect![[r#"
            error: blob sha256:6568dc4afaeb4abe540855a77c71928b7b986161b5386061714bca090332007d did not arrive whole: the connection broke
        "#]],
        ),
        (
            Fault::Corrupted,
            expect![[r#"
            error: blob sha256:6568dc4afaeb4abe540855a77c71928b7b986161b5386061714bca090332007d did not arrive whole: it has the digest sha256:708fe08e6f8c4d98eb816995266ad260a7f693efd3680949fbc248853b3fef52
        "#]],
        ),
        (
            Fault::Status(404, ""),
            expect![[r#"
            : [
                {
                  "platform": "linux/arm64",
                  "host": "linux/arm64",
                  "argv": [
                    "/app"
                  ],
                  "outcome": "unknown",
                  "reason": "layer 6568dc4afaeb is not in the repository"
                }
              ]
            }
        "#]],
        ),
    ] {
        let registry = Registry::new(&layout, Door::Open);
        registry.fault(layer, 1, fault.clone());
        if !matches!(fault, Fault::Status(..)) {
            same(&layout, &registry, ":oci", None);
        }
        registry.fault(layer, 99, fault);
        let (_, out, err) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), None);
        let exec = out.split("\"exec\"").nth(1).unwrap_or_default();
        expected.assert_eq(&format!("{exec}{err}").replace(&registry.address(), "AT"));
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let layout = layout();
    let registry = Registry::new(&layout, Door::Open);
    registry.fault("manifests", 1, Fault::Holds(4 * 1024 * 1024 + 1));
    let (code, out, _) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), None);
    assert_eq!(code, 2);
    assert!(out.contains("its manifest holds more than 4194304 bytes"), "{out}");
}

#[test]
fn a_registry_that_is_not_there_is_said() {
    // Port 1 is nobody's.
    let (code, _, err) = check("127.0.0.1:1/a/b:v1", None);
    assert_eq!(code, 2);
    expect![[r#"
        error: pull on 127.0.0.1:1/a/b failed: the registry cannot be reached: Connection refused (os error 111)
    "#]]
    .assert_eq(&err);
}

#[test]
#[ignore = "needs Debian's registry, which `make test-real` starts and fills"]
fn real_registries_give_the_same() {
    let layout = std::env::var("TEST_REAL_REGISTRY_LAYOUT").expect("the layout of `make test-real`");
    let open = std::env::var("TEST_REAL_REGISTRY_OPEN").expect("HOST:PORT of the open registry");
    let closed = std::env::var("TEST_REAL_REGISTRY_CLOSED").expect("HOST:PORT of the one with a password");
    let mine = config(&json!({"auths": {&closed: {"auth": BASIC}}}));
    for tag in ["oci", "docker", "index"] {
        let of_layout = format!("oci:{layout}:{tag}");
        let expected = check(&of_layout, None);
        assert!(expected.0 < 2, "{}", expected.2);
        for (host, config) in [(&open, None), (&closed, Some(&mine))] {
            let reference = format!("{host}/{REPOSITORY}:{tag}");
            let found = check(&reference, config);
            assert_eq!((found.0, found.2.as_str()), (expected.0, ""), "{reference}");
            assert_eq!(found.1.replace(&reference, "REFERENCE"), expected.1.replace(&of_layout, "REFERENCE"));
        }
    }
    let (code, _, err) = check(&format!("{closed}/{REPOSITORY}:oci"), None);
    assert_eq!(code, 2);
    assert!(err.contains("was denied") && err.contains("docker login"), "{err}");
    let (code, _, err) = check(&format!("{open}/{REPOSITORY}:none"), None);
    assert_eq!(code, 2);
    assert!(err.contains("is not there"), "{err}");
}
