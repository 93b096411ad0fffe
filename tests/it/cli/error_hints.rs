//! Errors and hints when AWS or a registry does not return an image.

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use tempfile::TempDir;

use crate::cli::run;
use crate::support::aws::{FakeAws, Fault};
use crate::support::cases::Cases;
use crate::support::layout::Builder;
use crate::support::registry::{Auth, Fault as Refusal, Registry};

const URI: &str = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// A run against this AWS with additional variables.
fn run_against(aws: &FakeAws, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let url = aws.url();
    let own = [("AWS_ENDPOINT_URL_ECR", url.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    run(arguments, &[&own[..], settings].concat())
}

/// A check of an image, with credentials.
fn check(aws: &FakeAws, reference: &str) -> String {
    run_against(aws, &["check", reference, "--runtime", "ecs/arm64"], &KEYS)
}

fn aws_with_tags(tags: &[&str]) -> FakeAws {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    tags.iter().for_each(|tag| drop(layout.tag(tag, &image)));
    let aws = FakeAws::start();
    aws.create_repositories(&["library/nginx", "team/api", "team/app-worker", "tools"]);
    aws.push("team/app", &layout);
    aws
}

#[test]
fn refused_manifest_is_unread_not_unknown() {
    let aws = aws_with_tags(&["v1"]);
    aws.fail("BatchGetImage", .., Fault::Failure("UpstreamAccessDenied"));
    expect![[r#"
        success false code 3
        --- out
        the image may not start on ECS on arm64

        ? ECS on arm64
          ECR refused the manifest (UpstreamAccessDenied: service message)

        What to do
          1. See the state of the image: restore it if it is archived, and check the permissions of its repository and its KMS key:
             aws ecr describe-images --region us-west-2 --registry-id 123456789012 --repository-name team/app --image-ids imageTag=v1
        --- err
    "#]]
    .assert_eq(&check(&aws, &format!("{URI}:v1")));
}

#[test]
fn similar_repositories_are_suggested() {
    let aws = aws_with_tags(&["v1"]);
    let mut text = check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    text += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/nginx:v1");
    text += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/something/else:v1");
    // An account whose repositories the caller cannot list.
    text += &check(&aws, "999999999999.dkr.ecr.us-west-2.amazonaws.com/team/app:v1");
    // A region other than the configured one.
    let region = [KEYS[0], KEYS[1], ("AWS_REGION", "eu-central-1")];
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1";
    text += &run_against(&aws, &["check", uri, "--runtime", "ecs/arm64"], &region);
    let region = [KEYS[0], KEYS[1], ("AWS_REGION", "us-west-2")];
    text += &run_against(&aws, &["declare", "team/ap", "ecs/arm64"], &region);
    aws.fail("DescribeRepositories", .., Fault::Error(400, "AccessDeniedException"));
    text += &check(&aws, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    let empty = FakeAws::start();
    text += &check(&empty, "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/appp:v1");
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist

        hint: did you mean `team/app` or `team/api`? They are in us-west-2 of account 123456789012
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/nginx does not exist

        hint: did you mean `library/nginx`? It is in us-west-2 of account 123456789012
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/something/else does not exist

        hint: `something/else` is not among the repositories in us-west-2 of account 123456789012; the nearest: `tools`, `team/api` and `team/app`
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:999999999999:repository/team/app does not exist

        hint: check the name: `aws ecr describe-repositories --region us-west-2 --registry-id 999999999999` lists the repositories in us-west-2 of account 999999999999
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist

        hint: did you mean `team/app` or `team/api`? They are in us-west-2 of account 123456789012; the region of the AWS configuration is eu-central-1
        success false code 3
        --- out
        --- err
        error: ecr:DescribeRepositories: arn:aws:ecr:us-west-2:*:repository/team/ap does not exist

        hint: did you mean `team/api` or `team/app`? They are in us-west-2; choose another region with AWS_REGION
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist

        hint: check the name: `aws ecr describe-repositories --region us-west-2 --registry-id 123456789012` lists the repositories in us-west-2 of account 123456789012
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage: arn:aws:ecr:us-west-2:123456789012:repository/team/appp does not exist

        hint: there are no repositories in us-west-2 of account 123456789012
    "#]].assert_eq(&text);
}

#[test]
fn similar_tags_are_suggested() {
    let aws = aws_with_tags(&["1.4.2", "1.4.3", "1.5.0", "main", "v1"]);
    let mut text = check(&aws, &format!("{URI}:1.4.4"));
    text += &check(&aws, URI);
    let other = format!("sha256:{}", "3c".repeat(32));
    text += &check(&aws, &format!("{URI}:v1@{other}"));
    text += &check(&aws, &format!("{URI}@{other}"));
    aws.fail("ListImages", .., Fault::Error(400, "AccessDeniedException"));
    text += &check(&aws, &format!("{URI}:1.4.4"));
    text += &check(&aws_with_tags(&[]), &format!("{URI}:1.4.4"));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 does not exist

        hint: did you mean `1.4.2` or `1.4.3`? They are in team/app
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app does not exist

        hint: `latest` is not among the tags in team/app; the nearest: `main`, `1.4.2` and `1.4.3`
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1@sha256:3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c does not exist

        hint: the tag may point to another image now: leave it out to check the image with this digest
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app@sha256:3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c does not exist
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 does not exist

        hint: check the name: `aws ecr list-images --repository-name team/app --region us-west-2` lists the tags in team/app
        success false code 3
        --- out
        --- err
        error: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:1.4.4 does not exist

        hint: there are no tags in team/app
    "#]].assert_eq(&text);
}

#[test]
fn authentication_errors_have_hints() {
    let aws = aws_with_tags(&["v1"]);
    let mut text = String::new();
    for code in
        ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"]
    {
        let aws = FakeAws::start();
        aws.fail("BatchGetImage", .., Fault::Error(400, code));
        text += &check(&aws, &format!("{URI}:v1"));
    }
    // A single sign-on profile without a session.
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
    text += &run_against(&aws, &["check", &format!("{URI}:v1")], &profile);
    text += &run_against(&aws, &["check", &format!("{URI}:v1"), "--verbose"], &profile);
    // A profile that does not exist, one whose program fails, and no profile.
    let profile = [("AWS_PROFILE", "none"), ("AWS_CONFIG_FILE", &config)];
    text += &run_against(&aws, &["check", &format!("{URI}:v1")], &profile);
    let failing = home.path().join("failing").display().to_string();
    fs::write(&failing, "[default]\ncredential_process = /bin/false\n").unwrap();
    text += &run_against(&aws, &["check", &format!("{URI}:v1")], &[("AWS_CONFIG_FILE", &failing)]);
    text += &run_against(&aws, &["check", &format!("{URI}:v1")], &[]);
    assert!(aws.calls().is_empty());
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource

        hint: `aws sts get-caller-identity` shows the caller; choose another profile with AWS_PROFILE; `--verbose` shows the reason that AWS states
        success false code 3
        --- out
        --- err
        error: the AWS session has expired

        hint: get new credentials, with `aws sso login` if you use single sign-on
        success false code 3
        --- out
        --- err
        error: AWS does not know the access key

        hint: check the key, and that us-west-2 is the right region and is enabled for the account; `aws sts get-caller-identity` shows the caller
        success false code 3
        --- out
        --- err
        error: AWS rejects the signature that was made with the secret key

        hint: check that the secret key belongs to the access key, and that this machine's clock is right
        success false code 3
        --- out
        --- err
        error: the AWS single sign-on session has expired or has not started

        hint: sign in with `aws sso login --profile dev`
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
          caused by: failed to load the cached SSO token

        hint: sign in with `aws sso login --profile dev`
        success false code 3
        --- out
        --- err
        error: no AWS credentials found in profile `none`

        hint: sign in with `aws sso login --profile none`, or choose another profile with AWS_PROFILE: `aws configure list-profiles` lists them
        success false code 3
        --- out
        --- err
        error: the AWS credentials could not be loaded

        hint: sign in with `aws sso login`, or choose a profile with AWS_PROFILE; `aws sts get-caller-identity` and `--verbose` show more
        success false code 3
        --- out
        --- err
        error: no AWS credentials found

        hint: sign in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with AWS_PROFILE
    "#]].assert_eq(&text.replace(&config, "CONFIG"));
}

#[test]
fn missing_region_is_an_error() {
    let aws = aws_with_tags(&["v1"]);
    let mut text = run_against(&aws, &["declare", "team/app", "ecs/arm64"], &KEYS);
    text += &run_against(&aws, &["declare", "--list"], &KEYS);
    assert!(aws.calls().is_empty());
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the AWS profile; or use `--region REGION` with `audit` or `consumers`, or `declare` with the repository's URI
        success false code 64
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the AWS profile; or use `--region REGION` with `audit` or `consumers`, or `declare` with the repository's URI
    "#]]
    .assert_eq(&text);
}

#[test]
fn similar_tags_of_a_registry_are_suggested() {
    let mut layout = Builder::new();
    let image = layout.image("arm64");
    ["1.4.2", "1.4.3", "1.5.0", "main", "v1"].iter().for_each(|tag| drop(layout.tag(tag, &image)));
    let registry = Registry::new(&layout, Auth::AnonymousToken);
    let check = |name: &str| {
        let reference = format!("{}/{name}", registry.address());
        run(&["check", &reference], &[]).replace(&registry.address(), "AT")
    };
    let mut text = check("team/app:1.5.1") + &check("team/app") + &check("team/ap:v1");
    registry.fault("tags", 9, Refusal::Status(403, ""));
    text += &check("team/app:1.5.1");
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: AT/team/app:1.5.1 does not exist

        hint: did you mean `1.5.0`? It is in AT/team/app
        success false code 3
        --- out
        --- err
        error: AT/team/app does not exist

        hint: `latest` is not among the tags in AT/team/app; the nearest: `main`, `1.4.2` and `1.4.3`
        success false code 3
        --- out
        --- err
        error: pull: AT/team/ap does not exist
          caused by: the registry returned status 404 (NAME_UNKNOWN: service message)

        hint: check the repository's name
        success false code 3
        --- out
        --- err
        error: AT/team/app:1.5.1 does not exist

        hint: check the name: `skopeo list-tags docker://AT/team/app` lists the tags in AT/team/app
    "#]]
    .assert_eq(&text);
}

#[test]
fn rate_limit_hint_states_how_long_to_wait() {
    let layout = Builder::new();
    let mut text = String::new();
    for pause in ["1", "60", "21600", "later"] {
        let registry = Registry::new(&layout, Auth::None);
        registry.fault("manifests", 9, Refusal::RateLimited(pause));
        let reference = format!("{}/team/app:v1", registry.address());
        text += &run(&["check", &reference], &[]).replace(&registry.address(), "AT");
    }
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: pull on AT/team/app failed
          caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: service message)

        hint: log in with `docker login AT`, which raises the limit, or wait a second
        success false code 3
        --- out
        --- err
        error: pull on AT/team/app failed
          caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: service message)

        hint: log in with `docker login AT`, which raises the limit, or wait 60 seconds
        success false code 3
        --- out
        --- err
        error: pull on AT/team/app failed
          caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: service message)

        hint: log in with `docker login AT`, which raises the limit, or wait 360 minutes
        success false code 3
        --- out
        --- err
        error: pull on AT/team/app failed
          caused by: the registry limits the request rate: status 429 (TOOMANYREQUESTS: service message)

        hint: log in with `docker login AT`, which raises the limit, or wait until the limit allows more
    "#]]
    .assert_eq(&text);
}

#[test]
fn throttled_and_refused_calls_have_hints() {
    // Both wait for the pauses of the client, so they run concurrently.
    let throttled = std::thread::spawn(|| {
        let aws = aws_with_tags(&["v1"]);
        aws.fail("BatchGetImage", .., Fault::Error(400, "ThrottlingException"));
        let text = check(&aws, &format!("{URI}:v1"));
        assert_eq!(aws.calls_of("BatchGetImage").len(), 4);
        text
    });
    // Nothing listens on port 1.
    let unreachable = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:1")];
    let refused = run(&["check", &format!("{URI}:v1"), "--runtime", "ecs/arm64"], &unreachable);
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
          caused by: AWS throttles these calls

        hint: wait a minute and run the command again: other calls of the account count too
        success false code 3
        --- out
        --- err
        error: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
          caused by: AWS cannot be reached: Connection refused (os error 111)

        hint: check the network and its proxy, and that `us-west-2` is a region
    "#]]
    .assert_eq(&(throttled.join().unwrap() + &refused));
}

/// The exit code and the errors of a check in this directory.
fn check_in(directory: &Path, references: &[&str], settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.env_clear().env("HOME", "/nonexistent").envs(settings.iter().copied()).current_dir(directory);
    let output = command.arg("check").args(references).args(["--runtime", "ecs/arm64"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    format!("{}\n{}", output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A directory with a layout, archives of it, and other files.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
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
    directory
}

#[test]
fn local_files_suggest_their_scheme() {
    let directory = directory();
    let absolute = directory.path().join("o.tar").display().to_string();
    let mut cases = Cases::default();
    for reference in [
        "o.tar",
        "o.tar:v1",
        "./o.tar",
        absolute.as_str(),
        "saved",
        "o.tgz",
        "empty.tar",
        "layout",
        "./layout:v1",
        "oci:o.tar",
        "oci:o.tar:v1",
        "oci:saved",
        "oci-archive:layout:v1",
        "docker-archive:layout:app:v1",
    ] {
        cases.add(reference, check_in(directory.path(), &[reference], &[]));
    }
    // A directory does not shadow an image of the same name, and nothing does if a registry is named.
    let unreachable = [("HTTPS_PROXY", "http://127.0.0.1:1")];
    for reference in ["empty", "docker://layout"] {
        cases.add(reference, check_in(directory.path(), &[reference], &unreachable));
    }
    // Who uses AWS may mean Amazon ECR.
    for reference in ["team/app:v1", "docker.io/team/app:v1"] {
        let settings = [unreachable[0], ("AWS_REGION", "eu-west-1")];
        cases.add(format!("{reference} with a region"), check_in(directory.path(), &[reference], &settings));
    }
    expect![[r#"
        o.tar
            64
            error: `o.tar` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:o.tar`
        o.tar:v1
            64
            error: `o.tar:v1` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:o.tar:v1`
        ./o.tar
            64
            error: `./o.tar` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:./o.tar`
        DIR/o.tar
            64
            error: `DIR/o.tar` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:DIR/o.tar`
        saved
            64
            error: `saved` is a local path, but a name without a scheme means an image in a registry

            hint: use `docker-archive:saved`
        o.tgz
            64
            error: `o.tgz` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:o.tgz` or `docker-archive:o.tgz`
        empty.tar
            64
            error: `empty.tar` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci-archive:empty.tar` or `docker-archive:empty.tar`
        layout
            64
            error: `layout` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci:layout`
        ./layout:v1
            64
            error: `./layout:v1` is a local path, but a name without a scheme means an image in a registry

            hint: use `oci:./layout:v1`
        oci:o.tar
            64
            error: `oci:o.tar` is a file, but an OCI layout is a directory

            hint: use `oci-archive:o.tar`
        oci:o.tar:v1
            64
            error: `oci:o.tar:v1` is a file, but an OCI layout is a directory

            hint: use `oci-archive:o.tar:v1`
        oci:saved
            64
            error: `oci:saved` is a file, but an OCI layout is a directory

            hint: use `docker-archive:saved`
        oci-archive:layout:v1
            64
            error: `oci-archive:layout:v1` is a directory, but an archive is a file

            hint: use `oci:layout:v1`
        docker-archive:layout:app:v1
            64
            error: `docker-archive:layout:app:v1` is a directory, but an archive is a file

            hint: use `oci:layout`
        empty
            3
            error: pull on docker.io/library/empty failed
              caused by: the registry cannot be reached: Connection refused (os error 111)

            hint: check the host name, the network and its proxy; a name without a registry means Docker Hub
        docker://layout
            3
            error: pull on docker.io/library/layout failed
              caused by: the registry cannot be reached: Connection refused (os error 111)

            hint: check the host name, the network and its proxy
        team/app:v1 with a region
            3
            note: `team/app:v1` names no registry, so it is read from Docker Hub; an image in Amazon ECR is `ACCOUNT.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1`
            error: pull on docker.io/team/app failed
              caused by: the registry cannot be reached: Connection refused (os error 111)

            hint: check the host name, the network and its proxy; a name without a registry means Docker Hub
        docker.io/team/app:v1 with a region
            3
            error: pull on docker.io/team/app failed
              caused by: the registry cannot be reached: Connection refused (os error 111)

            hint: check the host name, the network and its proxy
    "#]]
    .assert_eq(&cases.as_str().replace(&directory.path().display().to_string(), "DIR"));
}

#[test]
fn web_pages_and_typos_are_usage_errors() {
    let directory = directory();
    let mut text = String::new();
    for references in [
        &["https://hub.docker.com/r/grafana/grafana"][..],
        &["hub.docker.com/r/grafana/grafana/tags"],
        &["hub.docker.com/_/busybox"],
        &["oci:layout:v1", "ghcr.io/team/app@v1"],
        &["oci:layout:v1", "oci:"],
    ] {
        text += &check_in(directory.path(), references, &[]);
    }
    expect![[r#"
        64
        error: `https:` is not a valid registry host: expected `NAME[:PORT]`

        hint: did you mean `grafana/grafana`?
        64
        error: `hub.docker.com/r/grafana/grafana/tags` is a page of Docker Hub's web site, not an image

        hint: did you mean `grafana/grafana`?
        64
        error: `hub.docker.com/_/busybox` is a page of Docker Hub's web site, not an image

        hint: did you mean `busybox`?
        64
        error: ghcr.io/team/app@v1: `v1` is not a valid digest: expected `sha256:` and 64 lower-case hexadecimal digits

        hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for example `public.ecr.aws/docker/library/busybox:1.37`
        64
        error: `oci:` has no directory: expected `oci:DIR[:TAG|@DIGEST]`
    "#]].assert_eq(&text);
}

#[test]
fn errors_wrap_and_have_no_control_characters() {
    let directory = directory();
    let mut text = String::new();
    for reference in ["oci-archive:b\u{1b}[31m.tar", "oci:b\u{1b}[31m", "docker-archive:\u{7}", "dir:\u{1b}c"] {
        text += &check_in(directory.path(), &[reference], &[]);
    }
    fs::rename(directory.path().join("layout"), directory.path().join("\u{1b}[31m")).unwrap();
    for reference in ["oci:\u{1b}[31m:v2", "\u{1b}[31m"] {
        text += &check_in(directory.path(), &[reference], &[("COLUMNS", "60")]);
    }
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    expect![[r#"
        3
        error: cannot read b�[31m.tar
          caused by: No such file or directory (os error 2)
        3
        error: cannot read b�[31m
          caused by: No such file or directory (os error 2)
        3
        error: cannot read �
          caused by: No such file or directory (os error 2)
        64
        error: `dir:�c` has an unsupported scheme

        hint: use `oci:DIR:TAG`, `oci-archive:FILE:TAG`, `docker-archive:FILE:TAG`, `docker-daemon:NAME:TAG`, or `HOST/REPOSITORY:TAG`, for example `public.ecr.aws/docker/library/busybox:1.37`
        3
        error: oci:�[31m:v2 does not exist

        hint: choose an image in the layout: v1
        64
        error: `�[31m` is a local path, but a name without a scheme
          means an image in a registry

        hint: use `oci:�[31m`
    "#]].assert_eq(&text);
}
