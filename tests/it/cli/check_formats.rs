//! `check` with JSON Lines, SARIF and JUnit output, for images that fail, are unknown or cannot be read.

use std::collections::BTreeSet;

use ecr_preflight::verdict::FaultCode;
use expect_test::expect;
use serde_json::Value;

use crate::cli::{check, run};
use crate::support::layout::Builder;

/// The images of one call: one fails, one is unknown, one is missing.
const IMAGES: [&str; 3] = ["oci:DIR:fails", "oci:DIR:unknown", "oci:DIR:none"];

fn layout() -> Builder {
    let mut layout = Builder::new();
    let (amd64, arm, chart) = (layout.image("amd64"), layout.image("arm"), layout.helm());
    layout.tag("fails", &amd64);
    layout.tag("unknown", &arm);
    layout.tag("chart", &chart);
    layout
}

fn arguments(format: &'static str) -> Vec<&'static str> {
    ["check"].into_iter().chain(IMAGES).chain(["--runtime", "ecs/arm64", "--format", format]).collect()
}

/// Standard output of a run on the layout.
fn stdout_of(layout: &Builder, arguments: &[&str]) -> String {
    let directory = layout.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &directory)).collect();
    let text = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[]).replace(&directory, "DIR");
    text.split_once("--- out\n").unwrap().1.split_once("--- err\n").unwrap().0.to_owned()
}

fn sarif(layout: &Builder, arguments: &[&str]) -> Value {
    let log: Value = serde_json::from_str(&stdout_of(layout, arguments)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    log["runs"][0].clone()
}

#[test]
fn json_of_several_images_is_one_object_per_line() {
    check(
        &layout(),
        &arguments("json"),
        &expect![[r#"
            success false code 1
            --- out
            {"schema":"ecr-preflight/1","image":{"reference":"oci:DIR:fails","digest":"sha256:437bb3504e14e7dd58220cf0c7f637e66915450dd7b3f1883b00e903955f5504","mediaType":"application/vnd.oci.image.manifest.v1+json","kind":"image","platforms":["linux/amd64"]},"intended":[{"runtime":"ecs/arm64","declaredBy":"command-line"}],"verdict":"fails","runtimes":[{"runtime":"ecs/arm64","verdict":"fails","unknown":[],"faults":[{"code":"wrong-architecture","platform":"linux/amd64","evidence":"the image is built for linux/amd64, not linux/arm64","symptom":"exec /app: exec format error","remedy":["docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .","docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE","\"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}"],"advice":["Build it for linux/arm64","Or, if it was copied from another registry, copy all its platforms","Or keep the image, and set in the task definition"]}]}],"exec":[{"platform":"linux/amd64","host":"linux/arm64","argv":["/app"],"outcome":"fails","errno":"ENOEXEC","path":"/app"}]}
            {"schema":"ecr-preflight/1","image":{"reference":"oci:DIR:unknown","digest":"sha256:7e13a64d366720176887305c1f7b7e2271f296c3ec33aa6d75ed1bac662af278","mediaType":"application/vnd.oci.image.manifest.v1+json","kind":"image","platforms":["linux/arm/v7"]},"intended":[{"runtime":"ecs/arm64","declaredBy":"command-line"}],"verdict":"unknown","runtimes":[{"runtime":"ecs/arm64","verdict":"unknown","unknown":["the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs"],"faults":[],"nextSteps":["docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:unknown --push ."]}],"exec":[{"platform":"linux/arm/v7","host":"linux/arm64","argv":["/app"],"outcome":"unknown","reason":"/app is a 32-bit program, which only some hosts run"}]}
            {"schema":"ecr-preflight/error/1","reference":"oci:DIR:none","verdict":"unknown","error":"oci:DIR:none does not exist","hint":"choose an image in the layout: fails, unknown, chart"}
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn json_of_an_unreadable_image_is_empty() {
    check(
        &layout(),
        &["check", "oci:DIR:none", "--format", "json"],
        &expect![[r#"
            success false code 2
            --- out
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn junit_has_failures_errors_and_skipped_tests() {
    let layout = layout();
    let arguments: Vec<&str> = arguments("junit").into_iter().chain(["oci:DIR:chart"]).collect();
    check(
        &layout,
        &arguments,
        &expect![[r#"
            success false code 1
            --- out
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="ecr-preflight" tests="4" skipped="1" failures="1" errors="2">
                <testsuite name="oci:DIR:fails" tests="1" skipped="0" errors="0" failures="1">
                    <testcase name="ecs/arm64" classname="oci:DIR:fails">
                        <failure message="the image is built for linux/amd64, not linux/arm64" type="wrong-architecture">oci:DIR:fails will not start on ECS on arm64

              image     oci:DIR:fails
              digest    sha256:437bb3504e14e7dd58220cf0c7f637e66915450dd7b3f1883b00e903955f5504
              platform  linux/amd64

            ✗ ECS on arm64
              wrong-architecture: the image is built for linux/amd64, not linux/arm64
              expected error: exec /app: exec format error

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .
              2. Or, if it was copied from another registry, copy all its platforms:
                 docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE
              3. Or keep the image, and set in the task definition:
                 &quot;runtimePlatform&quot;: {&quot;cpuArchitecture&quot;: &quot;X86_64&quot;, &quot;operatingSystemFamily&quot;: &quot;LINUX&quot;}
            </failure>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:unknown" tests="1" skipped="0" errors="1" failures="0">
                    <testcase name="ecs/arm64" classname="oci:DIR:unknown">
                        <error message="the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs" type="unknown">oci:DIR:unknown may not start on ECS on arm64

              image     oci:DIR:unknown
              digest    sha256:7e13a64d366720176887305c1f7b7e2271f296c3ec33aa6d75ed1bac662af278
              platform  linux/arm/v7

            ? ECS on arm64
              the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs

            What to do
              1. Build it for linux/arm64:
                 docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:unknown --push .

            platform checked, program not inspected: /app is a 32-bit program, which only some hosts run
            </error>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:none" tests="1" skipped="0" errors="1" failures="0">
                    <testcase name="read" classname="oci:DIR:none">
                        <error message="oci:DIR:none does not exist" type="unreadable">hint: choose an image in the layout: fails, unknown, chart</error>
                    </testcase>
                </testsuite>
                <testsuite name="oci:DIR:chart" tests="1" skipped="1" errors="0" failures="0">
                    <testcase name="runtime" classname="oci:DIR:chart">
                        <skipped message="oci:DIR:chart is not checked: it is not a container image"/>
                    </testcase>
                </testsuite>
            </testsuites>
            --- err
            error: oci:DIR:none does not exist

            hint: choose an image in the layout: fails, unknown, chart
        "#]],
    );
}

#[test]
fn sarif_has_results_and_notifications() {
    let mut run = sarif(&layout(), &arguments("sarif"));
    for result in run["results"].as_array_mut().unwrap() {
        // Fingerprints depend on the directory, whose name differs from run to run.
        result["partialFingerprints"] = "FINGERPRINTS".into();
    }
    expect![[r#"
        [
          {
            "level": "error",
            "locations": [
              {
                "logicalLocations": [
                  {
                    "fullyQualifiedName": "oci:DIR:fails@sha256:437bb3504e14e7dd58220cf0c7f637e66915450dd7b3f1883b00e903955f5504 on ecs/arm64",
                    "kind": "resource",
                    "name": "oci:DIR:fails"
                  }
                ],
                "physicalLocation": {
                  "artifactLocation": {
                    "uri": "Dockerfile"
                  },
                  "region": {
                    "startLine": 1
                  }
                }
              }
            ],
            "message": {
              "markdown": "oci:DIR:fails on ECS on arm64: the image is built for linux/amd64, not linux/arm64\n\nExpected error: `exec /app: exec format error`\n\nWhat to do:\n\n1. Build it for linux/arm64:\n\n   ```\n   docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .\n   ```\n2. Or, if it was copied from another registry, copy all its platforms:\n\n   ```\n   docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE\n   ```\n3. Or keep the image, and set in the task definition:\n\n   ```\n   \"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}\n   ```",
              "text": "oci:DIR:fails on ECS on arm64: the image is built for linux/amd64, not linux/arm64\nExpected error: exec /app: exec format error\nWhat to do:\n1. Build it for linux/arm64:\n   docker buildx build --platform linux/arm64 --tag REGISTRY/IMAGE:fails --push .\n2. Or, if it was copied from another registry, copy all its platforms:\n   docker buildx imagetools create --tag REGISTRY/IMAGE:fails SOURCE\n3. Or keep the image, and set in the task definition:\n   \"runtimePlatform\": {\"cpuArchitecture\": \"X86_64\", \"operatingSystemFamily\": \"LINUX\"}"
            },
            "partialFingerprints": "FINGERPRINTS",
            "ruleId": "wrong-architecture",
            "ruleIndex": 0
          },
          {
            "level": "warning",
            "locations": [
              {
                "logicalLocations": [
                  {
                    "fullyQualifiedName": "oci:DIR:unknown@sha256:7e13a64d366720176887305c1f7b7e2271f296c3ec33aa6d75ed1bac662af278 on ecs/arm64",
                    "kind": "resource",
                    "name": "oci:DIR:unknown"
                  }
                ],
                "physicalLocation": {
                  "artifactLocation": {
                    "uri": "Dockerfile"
                  },
                  "region": {
                    "startLine": 1
                  }
                }
              }
            ],
            "message": {
              "text": "oci:DIR:unknown on ECS on arm64: the image declares linux/arm/v7: a 32-bit arm image starts only if the host runs 32-bit programs"
            },
            "partialFingerprints": "FINGERPRINTS",
            "ruleId": "unknown",
            "ruleIndex": 15
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&run["results"]).unwrap());
    expect![[r#"
        [
          {
            "executionSuccessful": false,
            "toolExecutionNotifications": [
              {
                "level": "error",
                "message": {
                  "text": "oci:DIR:none does not exist. Hint: choose an image in the layout: fails, unknown, chart"
                }
              }
            ]
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&run["invocations"]).unwrap());
}

#[test]
fn sarif_meets_code_scanning_requirements() {
    let layout = layout();
    let run = sarif(&layout, &[arguments("sarif"), vec!["--dockerfile", "./a b/Dockerfile"]].concat());
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["version"]), (&"ecr-preflight".into(), &env!("CARGO_PKG_VERSION").into()));
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        for member in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
            assert!(
                rule.pointer(member).and_then(Value::as_str).is_some_and(|text| text.len() > 10),
                "{rule} {member}"
            );
        }
    }
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
            (&"a%20b/Dockerfile".into(), &1.into())
        );
        assert!(matches!(result["level"].as_str(), Some("error" | "warning")));
        assert!(result["message"]["text"].is_string());
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
    }
}

#[test]
fn every_fault_is_a_sarif_rule() {
    let run = sarif(&layout(), &arguments("sarif"));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    let codes: Vec<&str> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(ids, [codes.as_slice(), &["unknown"]].concat());
}

#[test]
fn fingerprints_survive_rebuilds() {
    let fingerprints = |layout: &Builder, runtimes: &[&str]| -> BTreeSet<String> {
        let runtimes = runtimes.iter().flat_map(|runtime| ["--runtime", *runtime]);
        let run = sarif(
            layout,
            &["check", "oci:DIR:fails", "--format", "sarif"].into_iter().chain(runtimes).collect::<Vec<_>>(),
        );
        let of = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().to_owned();
        run["results"].as_array().unwrap().iter().map(of).collect()
    };
    let layout = Builder::new();
    let build = |architecture| {
        let mut layout = Builder::at(layout.path());
        let image = layout.image(architecture);
        layout.tag("fails", &image);
    };
    build("amd64");
    let before = fingerprints(&layout, &["ecs/arm64", "lambda/arm64"]);
    assert_eq!(before.len(), 2);
    build("arm");
    assert!(fingerprints(&layout, &["lambda/arm64"]).is_disjoint(&fingerprints(&layout, &["ecs/arm64"])));
    build("amd64");
    assert_eq!(fingerprints(&layout, &["ecs/arm64", "lambda/arm64"]), before);
}
