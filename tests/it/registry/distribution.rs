//! `check` on registries with the OCI distribution API: a fake one that fails on demand, and Debian's, which
//! `tests/real/registry.py` starts.

use std::fs;
use std::process::Command;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::elf;
use crate::support::layout::{Builder, OCI_GZIP, with_platform};
use crate::support::registry::{Auth, BASIC, Fault, IDENTITY, REPOSITORY, Registry};

/// Secrets that must never be printed.
const SECRETS: [&str; 5] = ["0SECRET0", "0TOKEN0", "0IDENTITY0", "0SIGNED0", BASIC];

/// Exit code, standard output and standard error of a check, with Docker's configuration in its own directory.
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

/// A layout with an OCI image, a Docker image and an index.
fn layout() -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm64, docker) = (layout.image("amd64"), layout.image("arm64"), layout.docker("arm64"));
    let both = layout.index(&[with_platform(&amd64, "linux", "amd64"), with_platform(&arm64, "linux", "arm64")]);
    for (tag, image) in [("oci", arm64), ("docker", docker), ("index", both), ("latest", amd64)] {
        layout.tag(tag, &image);
    }
    layout
}

/// Asserts that registry and layout give the same report, apart from the reference.
#[track_caller]
fn assert_same_as_layout(layout: &Builder, registry: &Registry, end: &str, config: Option<&TempDir>) {
    let reference = format!("{}/{REPOSITORY}{end}", registry.address());
    let of_layout = format!("oci:{}{}", layout.path().display(), if end.is_empty() { ":latest" } else { end });
    let (expected, found) = (check(&of_layout, None), check(&reference, config));
    assert_eq!(found.2, "");
    assert_eq!(found.0, expected.0);
    let found_text = without_names(&found.1, &reference, &format!("{}/{REPOSITORY}", registry.address()));
    assert_eq!(found_text, expected.1.replace(&of_layout, "REFERENCE"));
    assert!(found.1.contains("REFERENCE") || found.1.contains(&reference));
}

/// A report without the names of the image. Commands name its registry; for a layout, they have a placeholder.
fn without_names(text: &str, reference: &str, repository: &str) -> String {
    text.replace(&format!("--tag {repository}:"), "--tag REGISTRY/IMAGE:").replace(reference, "REFERENCE")
}

/// Compares the error for `oci`. `AT` is the registry.
#[track_caller]
fn expect_error(registry: &Registry, config: Option<&TempDir>, expected: Expect) {
    let (code, out, err) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), config);
    assert_eq!((code, out.as_str()), (3, ""));
    expected.assert_eq(&err.replace(&registry.address(), "AT"));
}

fn docker_config(document: &Value) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("config.json"), document.to_string()).unwrap();
    directory
}

fn valid_credentials(registry: &Registry) -> TempDir {
    docker_config(&json!({"auths": {registry.address(): {"auth": BASIC}}}))
}

#[test]
fn registry_gives_the_same_report_as_a_layout() {
    let layout = layout();
    let registry = Registry::new(&layout, Auth::None);
    let digest = layout_digest(&layout, "oci");
    for end in [":oci", ":docker", ":index", "", &format!("@{digest}"), &format!(":oci@{digest}")] {
        assert_same_as_layout(&layout, &registry, end, None);
    }
    let requests = registry.requests("manifests");
    assert!(requests.iter().all(|request| request.header("accept").unwrap().split(", ").count() == 6));
    let (code, _, _) = check(&format!("docker://{}/{REPOSITORY}:oci", registry.address()), None);
    assert_eq!(code, 0);
}

fn layout_digest(layout: &Builder, tag: &str) -> String {
    let (_, out, _) = check(&format!("oci:{}:{tag}", layout.path().display()), None);
    let report: Value = serde_json::from_str(&out).unwrap();
    report["image"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn docker_credentials_are_used() {
    let layout = layout();
    let basic = Registry::new(&layout, Auth::Basic);
    assert_same_as_layout(&layout, &basic, ":index", Some(&valid_credentials(&basic)));
    // If the token service accepts anonymous requests, no credentials are needed.
    let token = Registry::new(&layout, Auth::AnonymousToken);
    assert_same_as_layout(&layout, &token, ":index", None);
    assert_eq!(token.requests("token").len(), 1);
    let mine = Registry::new(&layout, Auth::UserToken);
    assert_same_as_layout(&layout, &mine, ":oci", Some(&valid_credentials(&mine)));
    let identity = docker_config(&json!({"auths": {mine.address(): {"auth": "MDo=", "identitytoken": IDENTITY}}}));
    assert_same_as_layout(&layout, &mine, ":oci", Some(&identity));
    let with_helper = docker_config(&json!({"credHelpers": {mine.address(): "small"}}));
    let helper = with_helper.path().join("docker-credential-small");
    // Like any helper, it reads the server name first; otherwise the tool may write to a closed pipe.
    let script = with_helper.path().join("script");
    fs::write(&script, "#!/bin/sh\ncat >/dev/null\necho '{\"Username\":\"me\",\"Secret\":\"0SECRET0\"}'\n").unwrap();
    // Copied by another process: a process forked by a concurrent test must not inherit the file open for writing.
    assert!(Command::new("install").args(["-m", "755"]).args([&script, &helper]).status().unwrap().success());
    assert_same_as_layout(&layout, &mine, ":oci", Some(&with_helper));
    // A token that expires midway is replaced.
    mine.fault("blobs", 1, Fault::Expired);
    assert_same_as_layout(&layout, &mine, ":oci", Some(&valid_credentials(&mine)));
}

#[test]
fn missing_and_wrong_credentials_suggest_login() {
    let layout = layout();
    let basic = Registry::new(&layout, Auth::Basic);
    expect_error(
        &basic,
        None,
        expect![[r#"
            error: pull on AT/team/app was denied: allow the caller this action on this resource
              caused by: the registry returned status 401 (UNAUTHORIZED: service message)

            hint: if the repository exists, log in with `docker login AT`
        "#]],
    );
    let wrong = docker_config(&json!({"auths": {basic.address(): {"auth": "bWU6d3Jvbmc="}}}));
    expect_error(
        &basic,
        Some(&wrong),
        expect![[r#"
            error: pull on AT/team/app was denied: allow the caller this action on this resource
              caused by: the registry returned status 401 (UNAUTHORIZED: service message)

            hint: Docker's credentials do not allow it: log in to another account with `docker login AT`
        "#]],
    );
    let token = Registry::new(&layout, Auth::UserToken);
    expect_error(
        &token,
        None,
        expect![[r#"
            error: pull on AT/team/app was denied: allow the caller this action on this resource
              caused by: the token service returned status 401

            hint: if the repository exists, log in with `docker login AT`
        "#]],
    );
    let wrong = docker_config(&json!({"auths": {token.address(): {"auth": "bWU6d3Jvbmc="}}}));
    expect_error(
        &token,
        Some(&wrong),
        expect![[r#"
            error: pull on AT/team/app was denied: allow the caller this action on this resource
              caused by: the token service returned status 401

            hint: Docker's credentials do not allow it: log in to another account with `docker login AT`
        "#]],
    );
    let with_helper = docker_config(&json!({"credsStore": "missing"}));
    let (_, _, err) = check(&format!("{}/{REPOSITORY}:oci", token.address()), Some(&with_helper));
    expect![[r#"
        error: pull on AT/team/app failed
          caused by: DIR/config.json names a credential helper that cannot be run
    "#]]
    .assert_eq(&err.replace(&with_helper.path().display().to_string(), "DIR").replace(&token.address(), "AT"));
}

#[test]
fn password_is_not_sent_to_insecure_token_services() {
    let layout = layout();
    let registry = Registry::new(&layout, Auth::UserToken);
    registry.fault("manifests", 9, Fault::Challenge(r#"Bearer realm="http://evil.example/token",service="x""#));
    expect_error(
        &registry,
        Some(&valid_credentials(&registry)),
        expect![[r#"
            error: pull on AT/team/app failed
              caused by: refusing the registry's token service: its URL is not HTTPS
        "#]],
    );
}

#[test]
fn blob_redirects_carry_no_credentials() {
    let layout = layout();
    let (registry, storage) = (Registry::new(&layout, Auth::AnonymousToken), Registry::new(&layout, Auth::None));
    registry.fault("blobs", 9, Fault::Redirected(format!("http://{}/storage/", storage.address())));
    assert_same_as_layout(&layout, &registry, ":index", None);
    let fetched = storage.requests("storage");
    assert!(!fetched.is_empty());
    assert!(fetched.iter().all(|request| request.header("authorization").is_none()));
    // An expired URL is requested again.
    storage.fault("storage", 1, Fault::Status(403, "0SIGNED0"));
    assert_same_as_layout(&layout, &registry, ":oci", None);
    storage.fault("storage", 9, Fault::Status(403, "0SIGNED0"));
    expect_error(
        &registry,
        None,
        expect![[r#"
            error: download of blob sha256:e3485f5ae1314c0b3e9a4f07d662d189bf6e52f33c21be430c5a508c2ae0a7e9 failed: the storage service returned status 403
        "#]],
    );
}

#[test]
fn redirects_are_limited_to_https_and_loopback() {
    let layout = layout();
    for (to, expected) in [
        (
            "http://evil.example/storage/",
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: refusing to follow the registry's redirect to a non-HTTPS URL
            "#]],
        ),
        (
            "ftp://127.0.0.1/storage/",
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: refusing to follow the registry's redirect to a non-HTTPS URL
            "#]],
        ),
        (
            "elsewhere/",
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry redirects without a valid `Location`
            "#]],
        ),
        (
            "/v2/team/app/blobs/",
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry redirects more than 5 times
            "#]],
        ),
    ] {
        let registry = Registry::new(&layout, Auth::None);
        registry.fault("blobs", 99, Fault::Redirected(to.to_owned()));
        expect_error(&registry, None, expected);
    }
    let registry = Registry::new(&layout, Auth::None);
    registry.fault("blobs", 1, Fault::Redirected("/v2/team/app/blobs/".to_owned()));
    registry.fault("blobs", 1, Fault::Redirected("//AT/storage/".to_owned()));
    assert_same_as_layout(&layout, &registry, ":oci", None);
}

#[test]
fn missing_images_and_repositories_are_errors() {
    let layout = layout();
    let registry = Registry::new(&layout, Auth::None);
    let error_of =
        |name: &str| check(&format!("{}/{name}", registry.address()), None).2.replace(&registry.address(), "AT");
    expect![[r#"
        error: AT/team/app:none does not exist

        hint: `none` is not among the tags in AT/team/app; the nearest: `oci`, `docker` and `index`
    "#]]
    .assert_eq(&error_of("team/app:none"));
    expect![[r#"
        error: pull: AT/team/other does not exist
          caused by: the registry returned status 404 (NAME_UNKNOWN: service message)

        hint: check the repository's name
    "#]]
    .assert_eq(&error_of("team/other:v1"));
    let other = format!("team/app:latest@{}", layout_digest(&layout, "oci"));
    expect![[r#"
        error: AT/team/app:latest@sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8 does not exist

        hint: the tag may point to another image now: leave it out to check the image with this digest
    "#]]
    .assert_eq(&error_of(&other));
}

#[test]
fn transient_failures_are_retried_and_others_reported() {
    let layout = layout();
    // A single failure is retried.
    for fault in [Fault::Status(500, ""), Fault::Truncated, Fault::Corrupted] {
        let registry = Registry::new(&layout, Auth::None);
        registry.fault("blobs", 1, fault);
        assert_same_as_layout(&layout, &registry, ":oci", None);
    }
    let limit = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
    for (kind, fault, expected) in [
        (
            "manifests",
            Fault::Status(500, "oh"),
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry returned status 500
            "#]],
        ),
        (
            "manifests",
            Fault::Status(429, limit),
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: You have reached your pull rate limit.)

                hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
            "#]],
        ),
        (
            "manifests",
            Fault::Status(403, ""),
            expect![[r#"
                error: pull on AT/team/app was denied: allow the caller this action on this resource
                  caused by: the registry returned status 403

                hint: if the repository exists, log in with `docker login AT`
            "#]],
        ),
        (
            "manifests",
            Fault::Corrupted,
            expect![[r#"
                error: manifest sha256:cb9d8244a81cd48e416a3bbcef92915ef39e71513e9026777870e1fd23b5f6a8 was requested, but the registry sent sha256:e3de66890abe669a9f08157f1e05fcc431e96f9a2a0750a345f46bb402497e2c
            "#]],
        ),
        (
            "manifests",
            Fault::Truncated,
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the manifest was truncated
            "#]],
        ),
        (
            "blobs",
            Fault::Status(503, ""),
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry returned status 503
            "#]],
        ),
        (
            "blobs",
            Fault::Status(429, limit),
            expect![[r#"
                error: pull on AT/team/app failed
                  caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: You have reached your pull rate limit.)

                hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
            "#]],
        ),
        (
            "blobs",
            Fault::Truncated,
            expect![[r#"
                error: download of blob sha256:e3485f5ae1314c0b3e9a4f07d662d189bf6e52f33c21be430c5a508c2ae0a7e9 failed: the connection broke after 98 bytes
            "#]],
        ),
        (
            "blobs",
            Fault::Corrupted,
            expect![[r#"
                error: download of blob sha256:e3485f5ae1314c0b3e9a4f07d662d189bf6e52f33c21be430c5a508c2ae0a7e9 failed: its 197 bytes have another digest
            "#]],
        ),
    ] {
        let registry = Registry::new(&layout, Auth::None);
        registry.fault(kind, 99, fault);
        expect_error(&registry, None, expected);
    }
    let registry = Registry::new(&layout, Auth::AnonymousToken);
    registry.fault("token", 99, Fault::Status(429, ""));
    expect_error(
        &registry,
        None,
        expect![[r#"
            error: pull on AT/team/app failed
              caused by: the token service limits the request rate: status 429

            hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
        "#]],
    );
}

#[test]
fn layer_digests_are_verified() {
    let layout = layout();
    let layer = layout.layer(OCI_GZIP, &elf::program("arm64"));
    let layer = layer["digest"].as_str().unwrap();
    for (fault, expected) in [
        (
            Fault::Truncated,
            expect![[r#"
                error: download of blob sha256:6568dc4afaeb4abe540855a77c71928b7b986161b5386061714bca090332007d failed: the connection broke
            "#]],
        ),
        (
            Fault::Corrupted,
            expect![[r#"
                error: download of blob sha256:6568dc4afaeb4abe540855a77c71928b7b986161b5386061714bca090332007d failed: the received bytes have the digest sha256:708fe08e6f8c4d98eb816995266ad260a7f693efd3680949fbc248853b3fef52
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
        let registry = Registry::new(&layout, Auth::None);
        registry.fault(layer, 1, fault.clone());
        if !matches!(fault, Fault::Status(..)) {
            assert_same_as_layout(&layout, &registry, ":oci", None);
        }
        registry.fault(layer, 99, fault);
        let (_, out, err) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), None);
        let exec = out.split("\"exec\"").nth(1).unwrap_or_default();
        expected.assert_eq(&format!("{exec}{err}").replace(&registry.address(), "AT"));
    }
}

#[test]
fn oversized_manifest_is_not_read() {
    let layout = layout();
    let registry = Registry::new(&layout, Auth::None);
    registry.fault("manifests", 1, Fault::Blanks(4 * 1024 * 1024 + 1));
    let (code, out, _) = check(&format!("{}/{REPOSITORY}:oci", registry.address()), None);
    assert_eq!(code, 3);
    let report: Value = serde_json::from_str(&out).unwrap();
    expect![[r#"["its manifest is larger than 4194304 bytes"]"#]]
        .assert_eq(&report["runtimes"][0]["unknown"].to_string());
}

#[test]
fn unreachable_registry_is_an_error() {
    // Nothing listens on port 1.
    let (code, _, err) = check("127.0.0.1:1/a/b:v1", None);
    assert_eq!(code, 3);
    expect![[r#"
        error: pull on 127.0.0.1:1/a/b failed
          caused by: the registry cannot be reached: Connection refused (os error 111)

        hint: check the host name, the network and its proxy
    "#]]
    .assert_eq(&err);
}

#[test]
#[ignore = "needs Debian's registry, which `make test-real` starts and fills"]
fn real_registries_give_the_same_report_as_layouts() {
    let layout = std::env::var("TEST_REAL_REGISTRY_LAYOUT").expect("the layout of `make test-real`");
    let open = std::env::var("TEST_REAL_REGISTRY_OPEN").expect("HOST:PORT of the open registry");
    let closed = std::env::var("TEST_REAL_REGISTRY_CLOSED").expect("HOST:PORT of the one with a password");
    let mine = docker_config(&json!({"auths": {&closed: {"auth": BASIC}}}));
    for tag in ["oci", "docker", "index"] {
        let of_layout = format!("oci:{layout}:{tag}");
        let expected = check(&of_layout, None);
        assert!(expected.0 < 2, "{}", expected.2);
        for (host, config) in [(&open, None), (&closed, Some(&mine))] {
            let reference = format!("{host}/{REPOSITORY}:{tag}");
            let found = check(&reference, config);
            assert_eq!((found.0, found.2.as_str()), (expected.0, ""), "{reference}");
            let found_text = without_names(&found.1, &reference, &format!("{host}/{REPOSITORY}"));
            assert_eq!(found_text, expected.1.replace(&of_layout, "REFERENCE"));
        }
    }
    let (code, _, err) = check(&format!("{closed}/{REPOSITORY}:oci"), None);
    assert_eq!(code, 3);
    expect![[r#"
        error: pull on AT/team/app was denied: allow the caller this action on this resource
          caused by: the registry returned status 401 (UNAUTHORIZED: authentication required)

        hint: if the repository exists, log in with `docker login AT`
    "#]]
    .assert_eq(&err.replace(&closed, "AT"));
    let (code, _, err) = check(&format!("{open}/{REPOSITORY}:none"), None);
    assert_eq!(code, 3);
    expect![[r#"
        error: AT/team/app:none does not exist

        hint: `none` is not among the tags in AT/team/app; the nearest: `oci`, `docker` and `index`
    "#]]
    .assert_eq(&err.replace(&open, "AT"));
}
