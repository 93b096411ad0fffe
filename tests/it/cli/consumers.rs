//! `consumers` and `declare --suggest`: what runs images, whether they start there, and what could not be read.

use expect_test::expect;
use serde_json::{Value, json};

use crate::cli::run;
use crate::report::schema::assert_valid;
use crate::support::aws::account::{Account, CODE_URL, REGISTRY, SECRET_VALUE, arn};
use crate::support::aws::{FakeAws, Fault};
use crate::support::layout::Builder;

/// A run against this AWS, in the region of its account.
fn run_on(aws: &FakeAws, arguments: &[&str]) -> String {
    run_with(aws, arguments, &[])
}

fn run_with(aws: &FakeAws, arguments: &[&str], more: &[(&str, &str)]) -> String {
    let url = aws.url();
    let settings = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_REGION", "us-west-2"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let output = run(arguments, &[&settings, more].concat());
    for secret in [SECRET_VALUE, CODE_URL, "PRESIGNED"] {
        assert!(!output.contains(secret), "{secret} is shown: {output}");
    }
    output.replace(url.trim_start_matches("http://"), "HOST")
}

/// An account in which each service runs images, and the repositories of the images.
fn sample() -> FakeAws {
    let aws = FakeAws::start();
    let mut layout = Builder::new();
    let (arm64, amd64) = (layout.image("arm64"), layout.image("amd64"));
    let (arm64, amd64) = (layout.tag("v1", &arm64), layout.tag("v2", &amd64));
    aws.push("team/app", &layout);
    aws.push("team/job", &layout);
    aws.create_repositories(&["team/idle"]);
    let (arm64, amd64) = (arm64.to_string(), amd64.to_string());
    let (v1, v2) = (format!("{REGISTRY}/team/app:v1"), format!("{REGISTRY}/team/app:v2"));
    let job = format!("{REGISTRY}/team/job:v2");

    let mut account = Account::default();
    let on_arm64 = json!({"runtimePlatform": {"cpuArchitecture": "ARM64"}, "requiresCompatibilities": ["FARGATE"]});
    let fargate = json!({"requiresCompatibilities": ["FARGATE"]});
    let task_on = |name: &str| json!({"attributes": [{"name": "ecs.cpu-architecture", "value": name}]});
    let web = account.add_definition("web:42", &v1, &json!({}), &fargate);
    account.add_service("prod", "web", &web, &json!({}));
    account.add_task("prod", "service:web", &web, (&v1, &arm64), &task_on("arm64"));
    // Without tasks, and on the wrong platform: what a deploy tool leaves that drops `runtimePlatform`.
    let api = account.add_definition("api:7", &v1, &json!({}), &fargate);
    let revision = arn("ecs", "service-revision/prod/api/1");
    account.add_service("prod", "api", &api, &json!({"currentServiceRevisions": [{"arn": revision}]}));
    account.service_revisions.push(json!({"serviceRevisionArn": revision, "taskDefinition": api,
        "serviceArn": arn("ecs", "service/prod/api"),
        "containerImages": [{"containerName": "app", "image": v1, "imageDigest": arm64}]}));
    let worker =
        account.add_definition("worker:3", &v1, &json!({"entryPoint": ["celery"], "command": ["worker"]}), &on_arm64);
    account.add_service("prod", "worker", &worker, &json!({}));
    account.add_service("prod", "old", &worker, &json!({"status": "INACTIVE"}));
    let proxy = account.add_definition("proxy:1", "public.ecr.aws/nginx/nginx:1", &json!({}), &fargate);
    account.add_service("prod", "proxy", &proxy, &json!({}));
    let nightly = account.add_definition("nightly:5", &job, &json!({}), &json!({}));
    let overridden = json!({"attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "overrides": {"containerOverrides": [{"name": "app", "command": ["report"]}]}});
    account.add_task("prod", "family:nightly", &nightly, (&job, &amd64), &overridden);
    let express = account.add_definition("express:1", &v2, &json!({}), &fargate);
    account.add_service("prod", "express", &express, &json!({"resourceManagementType": "ECS"}));
    account.add_function("resize", &v1, &arm64, &json!({"Architectures": ["arm64"]}));
    account.add_zip_function("other");
    account.add_app_runner_service("site", &v2, &json!({}));
    account.add_job_definition("import", &job, &json!({"command": ["Ref::mode"]}), &json!({}));
    account.add_agent_runtime("agent", &v1, &json!({}));
    aws.set_account(account);
    aws
}

#[test]
fn consumers_are_listed_by_repository() {
    expect![[r#"
        success true code 0
        --- out
        team/app
          prod/api#app             ECS         :v1@cb9d8244a81c  amd64 (it has no runtimePlatform, and Fargate then uses X86_64)
          prod/express#app         ECS         :v2               ? (Amazon ECS Express Mode chooses the architecture by the image)
          prod/web#app             ECS         :v1@cb9d8244a81c  arm64 (from its running task)
          prod/worker#app          ECS         :v1               arm64 (from its runtimePlatform)
          resize                   Lambda      :v1@cb9d8244a81c  arm64 (from its architectures)
          site                     App Runner  :v2               amd64 (its only architecture)
          agent                    AgentCore   :v1               arm64 (its only architecture)

        team/job
          prod/family:nightly#app  ECS         :v2@7f2861b59251  amd64 (from its running task)
          import                   Batch       :v2               ? (it has no runtimePlatform, and instances may have either architecture)

        9 consumers of images of 2 repositories in us-west-2; 1 consumer of images from elsewhere, not listed
        --- err
    "#]].assert_eq(&run_on(&sample(), &["consumers"]));
}

#[test]
fn repository_and_services_are_selected() {
    let aws = sample();
    let mut output = run_on(&aws, &["consumers", "team/job", "--services", "batch"]);
    output += &run_on(&aws, &["consumers", &format!("{REGISTRY}/team/idle"), "--services", "apprunner,batch"]);
    expect![[r#"
        success true code 0
        --- out
        team/job
          import  Batch  :v2  ? (it has no runtimePlatform, and instances may have either architecture)

        1 consumer of images of 1 repository in us-west-2
        --- err
        success true code 0
        --- out
        Nothing that was read runs such an image in us-west-2.

        0 consumers of images of 0 repositories in us-west-2
        --- err
    "#]]
    .assert_eq(&output);
    assert!(aws.calls_of("ListClusters").is_empty() && aws.calls_of("ListFunctions").is_empty());
}

#[test]
fn images_are_checked_where_they_run() {
    expect![[r#"
        success false code 1
        --- out
        team/app
          ✗ prod/api#app             ECS         :v1@cb9d8244a81c  amd64 (it has no runtimePlatform, and Fargate then uses X86_64)
            wrong-architecture: the image is built for linux/arm64, not linux/amd64
            to change: the image or the task definition
          - prod/express#app         ECS         :v2               ? (Amazon ECS Express Mode chooses the architecture by the image)
          ✓ prod/web#app             ECS         :v1@cb9d8244a81c  arm64 (from its running task)
          ✗ prod/worker#app          ECS         :v1               arm64 (from its runtimePlatform)
            exec-not-found: celery was not found as an executable in PATH
            prod/worker#app starts `celery worker`
            to change: the image or the task definition
          ✓ resize                   Lambda      :v1@cb9d8244a81c  arm64 (from its architectures)
          ✓ site                     App Runner  :v2               amd64 (its only architecture)
          ✓ agent                    AgentCore   :v1               arm64 (its only architecture)

        team/job
          ✓ prod/family:nightly#app  ECS         :v2@7f2861b59251  amd64 (from its running task)
            start not verified: its tasks were started with another command or environment
          - import                   Batch       :v2               ? (it has no runtimePlatform, and instances may have either architecture)

        9 consumers of images of 2 repositories in us-west-2; 2 fail; 2 without a known or declared platform; 5 run; 1 consumer of images from elsewhere, not listed
        --- err
    "#]].assert_eq(&run_on(&sample(), &["consumers", "--check"]));
}

#[test]
fn document_has_its_schema() {
    let aws = sample();
    aws.fail("AppRunner.ListServices", 1.., Fault::Error(400, "AccessDeniedException"));
    for arguments in [&["consumers", "--format", "json"][..], &["consumers", "--check", "--format", "json"]] {
        let output = run_on(&aws, arguments);
        let json = output.split("--- out\n").nth(1).unwrap().split("--- err").next().unwrap();
        let document: Value = serde_json::from_str(json).unwrap();
        assert_valid(&document, "consumers");
        let consumers = document["consumers"].as_array().unwrap();
        assert_eq!((consumers.len(), &document["elsewhere"]), (8, &json!(1)));
        assert!(consumers.iter().all(|one| one.get("check").is_some() == arguments.contains(&"--check")));
        assert_eq!(document["notRead"][0]["reason"], "access denied");
    }
}

#[test]
fn what_could_not_be_read_is_listed() {
    const DENIED: Fault = Fault::Error(400, "AccessDeniedException");
    let faults = [
        ("ListClusters", DENIED),
        ("ListTasks", DENIED),
        ("DescribeTasks", Fault::Error(400, "ThrottlingException")),
        ("ListServices", DENIED),
        ("DescribeServices", DENIED),
        ("DescribeServiceRevisions", DENIED),
        ("DescribeTaskDefinition", DENIED),
        ("ListFunctions", Fault::Error(403, "UnrecognizedClientException")),
        ("GetFunction", DENIED),
        ("AppRunner.ListServices", Fault::Dropped),
        ("AppRunner.DescribeService", DENIED),
        ("DescribeJobDefinitions", Fault::Status(502, "<html>")),
        ("ListAgentRuntimes", DENIED),
        ("GetAgentRuntime", DENIED),
    ];
    // Repeated calls wait, so all cases run at the same time.
    std::thread::scope(|scope| {
        for (action, fault) in faults {
            scope.spawn(move || {
                let aws = sample();
                aws.fail(action, 1.., fault);
                let output = run_on(&aws, &["consumers"]);
                let not_read: Vec<&str> = output.lines().filter(|line| line.starts_with("not read:")).collect();
                assert_eq!(not_read.len(), 1, "{action}: {output}");
                assert!(not_read[0].contains(action.rsplit('.').next().unwrap()), "{action}: {output}");
                assert!(output.starts_with("success false code 2"), "{action}: {output}");
                if !matches!(fault, Fault::Error(_, "AccessDeniedException" | "UnrecognizedClientException")) {
                    assert_eq!(aws.calls_of(action).len() % 4, 0, "{action} is tried four times");
                }
            });
        }
    });
}

#[test]
fn throttled_calls_succeed_later() {
    let aws = sample();
    let expected = run_on(&aws, &["consumers"]);
    let aws = sample();
    aws.fail("DescribeTasks", ..=2, Fault::Error(400, "ThrottlingException"));
    aws.fail("GetFunction", ..=1, Fault::Error(429, "TooManyRequestsException"));
    assert_eq!(run_on(&aws, &["consumers"]), expected);
}

#[test]
fn missing_services_of_a_region_are_not_read() {
    let aws = sample();
    let nothing = [("AWS_ENDPOINT_URL_APPRUNNER", "http://127.0.0.1:1")];
    expect![[r#"
        success false code 2
        --- out
        team/app
          resize  Lambda  :v1@cb9d8244a81c  arm64 (from its architectures)

        not read: AWS App Runner: apprunner:ListServices: AWS cannot be reached: Connection refused (os error 111); the service may not exist in us-west-2
        1 consumer of images of 1 repository in us-west-2
        --- err
    "#]].assert_eq(&run_with(&aws, &["consumers", "--services", "apprunner,lambda"], &nothing));
}

#[test]
fn callers_without_rights_get_one_error() {
    let aws = sample();
    for action in ["ListClusters", "ListFunctions"] {
        aws.fail(action, 1.., Fault::Error(400, "ExpiredTokenException"));
    }
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: ecs:ListClusters failed
          caused by: the AWS session has expired

        hint: get new credentials, with `aws sso login` if you use single sign-on
    "#]]
    .assert_eq(&run_on(&aws, &["consumers", "--services", "ecs,lambda"]));
}

#[test]
fn tasks_tell_their_images_without_the_definition() {
    let aws = sample();
    aws.fail_naming("DescribeTaskDefinition", "web:42", 1.., Fault::Error(400, "AccessDeniedException"));
    expect![[r#"
        success false code 1
        --- out
        team/app
          ✗ prod/api#app             ECS  :v1@cb9d8244a81c  amd64 (it has no runtimePlatform, and Fargate then uses X86_64)
            wrong-architecture: the image is built for linux/arm64, not linux/amd64
            to change: the image or the task definition
          - prod/express#app         ECS  :v2               ? (Amazon ECS Express Mode chooses the architecture by the image)
          ✓ prod/web#app             ECS  :v1@cb9d8244a81c  arm64 (from its running task)
            start not verified: its task definition could not be read
          ✗ prod/worker#app          ECS  :v1               arm64 (from its runtimePlatform)
            exec-not-found: celery was not found as an executable in PATH
            prod/worker#app starts `celery worker`
            to change: the image or the task definition

        team/job
          ✓ prod/family:nightly#app  ECS  :v2@7f2861b59251  amd64 (from its running task)
            start not verified: its tasks were started with another command or environment

        not read: Amazon ECS: ecs:DescribeTaskDefinition of arn:aws:ecs:us-west-2:123456789012:task-definition/web:42: access denied
        5 consumers of images of 2 repositories in us-west-2; 2 fail; 1 without a known or declared platform; 2 run; 1 consumer of images from elsewhere, not listed
        --- err
    "#]].assert_eq(&run_on(&aws, &["consumers", "--services", "ecs", "--check"]));
}

#[test]
fn deleted_images_are_reported() {
    let aws = sample();
    aws.push("team/app", &Builder::new());
    let output = run_on(&aws, &["consumers", "team/app", "--services", "lambda", "--check"]);
    expect![[r#"
        success false code 2
        --- out
        team/app
          ? resize  Lambda  :v1@cb9d8244a81c  arm64 (from its architectures)
            its image does not exist any more, so it cannot be started again

        1 consumer of images of 1 repository in us-west-2; 1 unknown
        --- err
    "#]]
    .assert_eq(&output);
}

#[test]
fn declarations_are_suggested_from_what_runs() {
    let aws = sample();
    aws.create_repositories(&["team/declared"]);
    let mut output = run_on(&aws, &["declare", "--suggest"]);
    aws.tag_resource("team/app", "intended-runtime", "ecs/amd64");
    aws.fail("ListClusters", 1.., Fault::Error(400, "AccessDeniedException"));
    output += &run_on(&aws, &["declare", "--suggest", "team/app"]);
    expect![[r#"
        success true code 0
        --- out
        # team/app: the architecture of prod/express is unknown: Amazon ECS Express Mode chooses the architecture by the image
        # team/app	ecs/amd64 ecs/arm64 apprunner lambda/arm64 agentcore	# agent, prod/api, prod/web, prod/worker, resize and 1 more: no image runs on both lambda/arm64 and ecs/amd64
        # team/declared: nothing that was read runs its images
        # team/idle: nothing that was read runs its images
        # team/job: the architecture of import is unknown: it has no runtimePlatform, and instances may have either architecture
        # team/job	ecs/amd64	# prod/family:nightly: the architecture of others is unknown
        --- err
        success false code 2
        --- out
        # not read: Amazon ECS: ecs:ListClusters: access denied
        # team/app: declares "ecs/amd64" already; found: apprunner lambda/arm64 agentcore
        --- err
    "#]].assert_eq(&output);
}

#[test]
fn errors_end_the_command() {
    let metadata = [("AWS_EC2_METADATA_DISABLED", "true")];
    let region = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_REGION", "us-west-2")];
    let mut output = run(&["consumers"], &metadata);
    output += &run(&["consumers", "--services", "ecs"], &region);
    output += &run(&["consumers", "team/app:v1"], &region);
    output += &run(&["consumers", "--services", "eks"], &region);
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: no AWS region is configured

        hint: set AWS_REGION, or `region` in the AWS profile; or use `--region REGION` with `audit` or `consumers`, or `declare` with the repository's URI
        success false code 3
        --- out
        --- err
        error: ecs:ListClusters failed
          caused by: no AWS credentials found

        hint: sign in with `aws sso login`, set up access keys with `aws configure`, or choose a profile with AWS_PROFILE
        success false code 64
        --- out
        --- err
        error: `team/app:v1` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`

        hint: name the repository without a tag: `team/app`, its URI, or its ARN
        success false code 64
        --- out
        --- err
        error: invalid value 'eks' for '--services <SERVICE>'
          [possible values: ecs, lambda, apprunner, batch, agentcore]

          tip: a similar value exists: 'ecs'

        For more information, try '--help'.
    "#]].assert_eq(&output);
}
