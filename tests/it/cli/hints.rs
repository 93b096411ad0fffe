//! What the command line says where AWS or a registry does not give what was asked for, and what it says may help.

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use tempfile::TempDir;

use crate::cli::run;
use crate::support::aws::{FakeAws, Fault};
use crate::support::layout::Builder;
use crate::support::registry::{Door, Fault as Refusal, Registry};

const URI: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// A run against this AWS, with these settings beside.
fn against(aws: &FakeAws, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let url = aws.url();
    let own = [("AWS_ENDPOINT_URL_ECR", url.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    run(arguments, &[&own[..], settings].concat())
}

/// A check of an image in a repository with some tags; with credentials.
fn check(aws: &FakeAws, reference: &str) -> String {
    against(aws, &["check", reference, "--runtime", "ecs/arm64"], &KEYS)
}

fn filled(tags: &[&str]) -> FakeAws {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    tags.iter().for_each(|tag| drop(layout.tag(tag, &image)));
    let aws = FakeAws::start();
    aws.create(&["library/nginx", "team/api", "team/app-worker", "tools"]);
    aws.push("team/app", &layout);
    aws
}

#[test]
fn a_repository_that_is_not_there_has_neighbours() {
    let aws = filled(&["v1"]);
    let mut said = check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    said += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/nginx:v1");
    said += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/something/else:v1");
    // An account that the caller sees nothing of.
    said += &check(&aws, "999999999999.dkr.ecr.us-west-2.amazonaws.com/team/app:v1");
    // A region that is not the one of the configuration.
    let region = [KEYS[0], KEYS[1], ("AWS_REGION", "eu-central-1")];
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1";
    said += &against(&aws, &["check", uri, "--runtime", "ecs/arm64"], &region);
    let region = [KEYS[0], KEYS[1], ("AWS_REGION", "us-west-2")];
    said += &against(&aws, &["declare", "team/ap", "ecs/arm64"], &region);
    aws.fail("DescribeRepositories", .., Fault::Error(400, "AccessDeniedException"));
    said += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    let empty = FakeAws::start();
    said += &check(&empty, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist: RepositoryNotFoundException: as said

        hint: did you mean `team/app` or `team/api`? They are in us-west-2 of account 123456789012
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/nginx does not exist: RepositoryNotFoundException: as said

        hint: did you mean `library/nginx`? It is in us-west-2 of account 123456789012
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/something/else does not exist: RepositoryNotFoundException: as said

        hint: the repositories in us-west-2 of account 123456789012 that are nearest to `something/else`: `tools`, `team/api` and `team/app`
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:999999999999:repository/team/app does not exist: RepositoryNotFoundException: as said

        hint: check the name, and whether us-west-2 of account 999999999999 is meant: `aws ecr describe-repositories --region us-west-2 --registry-id 999999999999` lists what there is
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist: RepositoryNotFoundException: as said

        hint: did you mean `team/app` or `team/api`? They are in us-west-2 of account 123456789012; the region of the AWS configuration is eu-central-1
        success false code 2
        --- out
        --- err
        error: ecr:DescribeRepositories: arn:aws:ecr:us-west-2:*:repository/team/ap does not exist: RepositoryNotFoundException: as said

        hint: did you mean `team/api` or `team/app`? They are in us-west-2; another region is chosen with AWS_REGION
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist: RepositoryNotFoundException: as said

        hint: check the name, and whether us-west-2 of account 123456789012 is meant: `aws ecr describe-repositories --region us-west-2 --registry-id 123456789012` lists what there is
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist: RepositoryNotFoundException: as said

        hint: there are no repositories in us-west-2 of account 123456789012
    "#]].assert_eq(&said);
}

#[test]
fn a_tag_that_is_not_there_has_neighbours() {
    let aws = filled(&["1.4.2", "1.4.3", "1.5.0", "main", "v1"]);
    let mut said = check(&aws, &format!("{URI}:1.4.4"));
    said += &check(&aws, URI);
    let other = format!("sha256:{}", "3c".repeat(32));
    said += &check(&aws, &format!("{URI}:v1@{other}"));
    said += &check(&aws, &format!("{URI}@{other}"));
    aws.fail("ListImages", .., Fault::Error(400, "AccessDeniedException"));
    said += &check(&aws, &format!("{URI}:1.4.4"));
    said += &check(&filled(&[]), &format!("{URI}:1.4.4"));
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 is not there

        hint: did you mean `1.4.2` or `1.4.3`? They are in team/app
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app is not there

        hint: the tags in team/app that are nearest to `latest`: `main`, `1.4.2` and `1.4.3`
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1@sha256:3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c is not there

        hint: its tag may point at another image by now: without it, the digest alone counts
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app@sha256:3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c is not there
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 is not there

        hint: check the name, and whether team/app is meant: `aws ecr list-images --repository-name team/app --region us-west-2` lists what there is
        success false code 2
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 is not there

        hint: there are no tags in team/app
    "#]].assert_eq(&said);
}

#[test]
fn whoever_is_not_known_is_told_how_to_become_it() {
    let aws = filled(&["v1"]);
    let mut said = String::new();
    for code in
        ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"]
    {
        let aws = FakeAws::start();
        aws.fail("BatchGetImage", .., Fault::Error(400, code));
        said += &check(&aws, &format!("{URI}:v1"));
    }
    // A profile of single sign-on that nobody has logged in to.
    let home = tempfile::TempDir::new().unwrap();
    let config = home.path().join("config");
    fs::write(
        &config,
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-west-2\n\
         [sso-session corp]\nsso_region = us-west-2\nsso_start_url = https://corp.example/start\n",
    )
    .unwrap();
    let config = config.display().to_string();
    let profile = [("AWS_PROFILE", "dev"), ("AWS_CONFIG_FILE", &config)];
    said += &against(&aws, &["check", &format!("{URI}:v1")], &profile);
    assert!(aws.calls().is_empty());
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource: AccessDeniedException: as said

        hint: `aws sts get-caller-identity` shows who the caller is; another profile is chosen with AWS_PROFILE
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: ExpiredTokenException: as said

        hint: the session has ended: take fresh credentials, from `aws sso login` where it is one of single sign-on
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: UnrecognizedClientException: as said

        hint: us-west-2 does not know the access key: check the key, and that us-west-2 is the right region and enabled for the account; `aws sts get-caller-identity` shows who the caller is
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: InvalidSignatureException: as said

        hint: the secret key is not that of the access key, or this machine's clock is wrong
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: dispatch failure: other: an error occurred while loading credentials: an error occurred while loading an access token: failed to load the cached SSO token

        hint: the single sign-on session has ended, or has not begun: `aws sso login --profile dev`
    "#]].assert_eq(&said.replace(&config, "CONFIG"));
}

#[test]
fn a_region_that_is_not_configured_is_asked_for() {
    let aws = filled(&["v1"]);
    let mut said = against(&aws, &["declare", "team/app", "ecs/arm64"], &KEYS);
    said += &against(&aws, &["declare", "--list"], &KEYS);
    assert!(aws.calls().is_empty());
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the profile that AWS_PROFILE names; `audit` takes `--region` too, and `declare` a repository's URI
        success false code 2
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the profile that AWS_PROFILE names; `audit` takes `--region` too, and `declare` a repository's URI
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_registry_s_tags_are_neighbours_too() {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    ["1.4.2", "1.4.3", "1.5.0", "main", "v1"].iter().for_each(|tag| drop(layout.tag(tag, &image)));
    let registry = Registry::new(&layout, Door::Token);
    let check = |name: &str| {
        let reference = format!("{}/{name}", registry.address());
        run(&["check", &reference], &[]).replace(&registry.address(), "AT")
    };
    let mut said = check("team/app:1.5.1") + &check("team/app") + &check("team/ap:v1");
    registry.fault("tags", 9, Refusal::Status(403, ""));
    said += &check("team/app:1.5.1");
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: AT/team/app:1.5.1 is not there

        hint: did you mean `1.5.0`? It is in AT/team/app
        success false code 2
        --- out
        --- err
        error: AT/team/app is not there

        hint: the tags in AT/team/app that are nearest to `latest`: `main`, `1.4.2` and `1.4.3`
        success false code 2
        --- out
        --- err
        error: pull: AT/team/ap does not exist: the registry answered with status 404 (NAME_UNKNOWN: as said)

        hint: check the repository's name
        success false code 2
        --- out
        --- err
        error: AT/team/app:1.5.1 is not there

        hint: check the name, and whether AT/team/app is meant: `skopeo list-tags docker://AT/team/app` lists what there is
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_registry_s_limit_says_how_long_to_wait() {
    let layout = Builder::new();
    let mut said = String::new();
    for pause in ["1", "60", "21600", "later"] {
        let registry = Registry::new(&layout, Door::Open);
        registry.fault("manifests", 9, Refusal::Limited(pause));
        let reference = format!("{}/team/app:v1", registry.address());
        said += &run(&["check", &reference], &[]).replace(&registry.address(), "AT");
    }
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: as said)

        hint: log in with `docker login AT`, which raises the limit, or wait a second
        success false code 2
        --- out
        --- err
        error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: as said)

        hint: log in with `docker login AT`, which raises the limit, or wait 60 seconds
        success false code 2
        --- out
        --- err
        error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: as said)

        hint: log in with `docker login AT`, which raises the limit, or wait 360 minutes
        success false code 2
        --- out
        --- err
        error: pull on AT/team/app failed: the registry allows no more requests for now, status 429 (TOOMANYREQUESTS: as said)

        hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
    "#]].assert_eq(&said);
}

#[test]
fn what_the_client_has_tried_four_times_is_said_with_what_to_do() {
    // Both wait for the client's own pauses, so they wait beside each other.
    let throttled = std::thread::spawn(|| {
        let aws = filled(&["v1"]);
        aws.fail("BatchGetImage", .., Fault::Error(400, "ThrottlingException"));
        let said = check(&aws, &format!("{URI}:v1"));
        assert_eq!(aws.calls_of("BatchGetImage").len(), 4);
        said
    });
    // Port 1 is nobody's.
    let nowhere = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1")];
    let refused = run(&["check", &format!("{URI}:v1"), "--runtime", "ecs/arm64"], &nowhere);
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: ThrottlingException: as said

        hint: AWS allows this account no more of these calls for now: wait a minute and run it again
        success false code 2
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused (os error 111)

        hint: check the network and its proxy, and that `us-west-2` is a region
    "#]].assert_eq(&(throttled.join().unwrap() + &refused));
}

/// The exit code and the errors of a check in this directory.
fn check_in(directory: &Path, references: &[&str], settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.env_clear().env("HOME", "/nonexistent").envs(settings.iter().copied()).current_dir(directory);
    let output = command.arg("check").args(references).args(["--runtime", "ecs/arm64"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    format!("{}\n{}", output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A directory with a layout, archives of it, and what is neither.
fn room() -> TempDir {
    let room = TempDir::new().unwrap();
    let at = |name: &str| room.path().join(name);
    let mut layout = Builder::at(&at("layout"));
    let image = layout.image("arm64");
    layout.tag("v1", &image);
    let mut archive = tar::Builder::new(fs::File::create(at("o.tar")).unwrap());
    archive.append_dir_all(".", at("layout")).unwrap();
    archive.finish().unwrap();
    let mut saved = tar::Builder::new(fs::File::create(at("saved")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    saved.append_data(&mut header, "manifest.json", &b"[]"[..]).unwrap();
    saved.finish().unwrap();
    fs::write(at("o.tgz"), b"\x1f\x8b\x08\0\0\0\0").unwrap();
    fs::write(at("empty.tar"), b"").unwrap();
    fs::create_dir(at("empty")).unwrap();
    room
}

#[test]
fn what_lies_here_is_asked_of_no_registry_and_its_scheme_is_named() {
    let room = room();
    let absolute = room.path().join("o.tar").display().to_string();
    let bare = "is on this machine, where a name without a scheme is that of a registry's image";
    for (reference, wrong, hint) in [
        ("o.tar", bare, "`oci-archive:o.tar`"),
        ("o.tar:v1", bare, "`oci-archive:o.tar:v1`"),
        ("./o.tar", bare, "`oci-archive:./o.tar`"),
        (absolute.as_str(), bare, &format!("`oci-archive:{absolute}`")),
        ("saved", bare, "`docker-archive:saved`"),
        ("o.tgz", bare, "`oci-archive:o.tgz` or `docker-archive:o.tgz`"),
        ("empty.tar", bare, "`oci-archive:empty.tar` or `docker-archive:empty.tar`"),
        ("layout", bare, "`oci:layout`"),
        ("./layout:v1", bare, "`oci:./layout:v1`"),
        ("oci:o.tar", "is a file, and a layout is a directory", "`oci-archive:o.tar`"),
        ("oci:o.tar:v1", "is a file, and a layout is a directory", "`oci-archive:o.tar:v1`"),
        ("oci:saved", "is a file, and a layout is a directory", "`docker-archive:saved`"),
        ("oci-archive:layout:v1", "is a directory, and an archive is a file", "`oci:layout:v1`"),
        ("docker-archive:layout:app:v1", "is a directory, and an archive is a file", "`oci:layout`"),
    ] {
        let expected = format!("64\nerror: `{reference}` {wrong}\n\nhint: use {hint}\n");
        assert_eq!(check_in(room.path(), &[reference], &[]), expected);
    }
    // No directory of an image's name is in the way of that image, nor is anything where a registry is named.
    let nowhere = [("HTTPS_PROXY", "http://127.0.0.1:1")];
    for reference in ["empty", "docker://layout"] {
        let said = check_in(room.path(), &[reference], &nowhere);
        assert!(said.starts_with("2\nerror: pull on docker.io/library/"), "{said}");
    }
}

#[test]
fn a_page_of_docker_hub_is_no_registry_and_what_is_mistyped_keeps_the_others_from_being_checked() {
    let room = room();
    let mut said = String::new();
    for references in [
        &["https://hub.docker.com/r/grafana/grafana"][..],
        &["hub.docker.com/r/grafana/grafana/tags"],
        &["hub.docker.com/_/busybox"],
        &["oci:layout:v1", "ghcr.io/team/app@v1"],
        &["oci:layout:v1", "oci:"],
    ] {
        said += &check_in(room.path(), references, &[]);
    }
    expect![[r#"
        64
        error: `https:` is not the host of a registry: expected `NAME[:PORT]`

        hint: did you mean `grafana/grafana`?
        64
        error: `hub.docker.com/r/grafana/grafana/tags` is a page of Docker Hub's web site, and no registry

        hint: did you mean `grafana/grafana`?
        64
        error: `hub.docker.com/_/busybox` is a page of Docker Hub's web site, and no registry

        hint: did you mean `busybox`?
        64
        error: ghcr.io/team/app@v1: `v1` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits

        hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, or `HOST/REPOSITORY:TAG` such as `public.ecr.aws/docker/library/busybox:1.37`
        64
        error: `oci:` names no directory
    "#]].assert_eq(&said);
}

#[test]
fn errors_and_hints_fit_the_terminal_and_do_not_command_it() {
    let room = room();
    let mut said = String::new();
    for reference in ["oci-archive:b\u{1b}[31m.tar", "oci:b\u{1b}[31m", "docker-archive:\u{7}", "dir:\u{1b}c"] {
        said += &check_in(room.path(), &[reference], &[]);
    }
    fs::rename(room.path().join("layout"), room.path().join("\u{1b}[31m")).unwrap();
    for reference in ["oci:\u{1b}[31m:v2", "\u{1b}[31m"] {
        said += &check_in(room.path(), &[reference], &[("COLUMNS", "60")]);
    }
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    expect![[r#"
        2
        error: b�[31m.tar cannot be read: No such file or directory (os error 2)
        2
        error: b�[31m cannot be read: it is no OCI image layout, for want of a file `oci-layout`
        2
        error: � cannot be read: No such file or directory (os error 2)
        64
        error: `dir:�c` names no image in a registry

        hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, or `HOST/REPOSITORY:TAG` such as `public.ecr.aws/docker/library/busybox:1.37`
        2
        error: oci:�[31m:v2 is not there

        hint: the layout has v1
        64
        error: `�[31m` is on this machine, where a name without a
          scheme is that of a registry's image

        hint: use `oci:�[31m`
    "#]].assert_eq(&said);
}
