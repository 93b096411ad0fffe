//! The page of an audit as a file: what stands in it, how it is escaped, how large it is. A browser looks at it in
//! `make test-page`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use aws_smithy_types::base64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::report::messages::report;

fn tool(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    command.env_clear().args(arguments).output().unwrap()
}

/// Runs `page` over these lines; its output and the page, where there is one.
fn run(lines: &str) -> (Output, Option<String>) {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("results.jsonl"), lines).unwrap();
    let output = tool(&["page", &path("results.jsonl"), "--output", &path("audit.html")]);
    let mut left: Vec<PathBuf> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.retain(|file| !file.ends_with("results.jsonl") && !file.ends_with("audit.html"));
    assert!(left.is_empty(), "nothing else is left: {left:?}");
    (output, fs::read_to_string(path("audit.html")).ok())
}

fn page(reports: &[Value]) -> String {
    let lines: String = reports.iter().map(|report| format!("{report}\n")).collect();
    let (output, page) = run(&lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page.unwrap()
}

fn failing() -> Value {
    serde_json::to_value(report("grafana/grafana", "11.4.0", "ecs/amd64 apprunner", "/run.sh")).unwrap()
}

/// The content of the elements that begin so.
fn contents<'a>(page: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    page.split(begin).skip(1).map(|rest| rest.split_once(end).unwrap().0).collect()
}

/// The data that the script reads: two lines of JSON for each image, compressed with gzip and encoded as base64.
fn data(page: &str) -> &str {
    contents(page, "<script type=\"application/gzip\" id=\"data\">", "</script>")[0]
}

/// What the list shows of each image, and its details.
fn rows(page: &str) -> Vec<[Value; 2]> {
    let compressed = base64::decode(data(page)).unwrap();
    let lines = std::io::read_to_string(flate2::read::GzDecoder::new(compressed.as_slice())).unwrap();
    assert!(lines.is_ascii());
    let values: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    values.chunks(2).map(|row| row.to_vec().try_into().unwrap()).collect()
}

#[test]
fn a_report_is_a_row_with_every_text_of_it() {
    let report = failing();
    let mut other = report.clone();
    other["settings"] = json!("seconds=7");
    let page = page(&[report.clone(), other]);
    let rows = rows(&page);
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/grafana/grafana";
    assert_eq!(rows.len(), 2, "with other settings it is another result");
    let [row, details] = &rows[0];
    for (member, expected) in [
        ("repository", json!("grafana/grafana")),
        ("tag", json!("11.4.0")),
        ("digest", report["image"]["digest"].clone()),
        ("verdict", json!("fails")),
        ("intended", json!(["ecs/amd64", "apprunner"])),
    ] {
        assert_eq!(row[member], expected, "{member}");
    }
    assert_eq!(row["codes"], json!(["wrong-architecture"]));
    assert_eq!(details["address"], format!("{uri}:11.4.0"));
    for (stored, shown) in report["runtimes"].as_array().unwrap().iter().zip(details["runtimes"].as_array().unwrap()) {
        let (stored, shown) = (&stored["faults"][0], &shown["faults"][0]);
        for key in ["code", "evidence", "symptom"] {
            assert_eq!(shown[key], stored[key]);
        }
        for (at, step) in shown["steps"].as_array().unwrap().iter().enumerate() {
            assert_eq!(step[0], stored["advice"][at]);
            assert_eq!(step.get(1).unwrap_or(&stored["advice"][at]), &stored["remedy"][at]);
        }
    }
    assert_eq!(details["runtimes"][0]["title"], "ECS on amd64");
    assert_eq!(details["runtimes"][0]["by"], "declared by the repository's tag");
}

#[test]
fn nothing_in_a_text_ends_its_place() {
    for text in [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "<img src=x onerror=alert(1)>",
        "a\u{2028}b\u{2029}c\u{202e}d\u{1}e\u{0}",
        "\"' onclick=alert(1) {{script}} {{rows}} &lt;",
    ] {
        let mut report = failing();
        report["arrival"] = json!({"how": "audit", "account": text, "region": text, "repository": text, "tag": text,
            "alsoTagged": [text], "pushedAt": text});
        report["image"] = json!({"reference": text, "digest": text, "platforms": [text]});
        report["runtimes"][0] = json!({"runtime": text, "verdict": text, "unknown": [text], "faults": [{"code": text,
            "evidence": text, "symptom": text, "remedy": [text], "advice": [text]}]});
        report["exec"] = json!([{"platform": text, "host": text, "argv": [text], "outcome": text, "errno": text,
            "path": text, "chain": [text], "reason": text}]);
        let page = page(&[report]);
        let data = data(&page);
        assert!(data.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)), "{data}");
        let shown = json!(rows(&page)).to_string();
        assert!(!shown.contains(['\u{202e}', '\0']) && !shown.contains("\\u0001"), "{shown}");
        // The data, the words and the script; one style; no comment.
        assert_eq!([page.matches("<script").count(), page.matches("</script").count()], [3, 3], "{text}");
        assert_eq!([page.matches("<style").count(), page.matches("<!--").count()], [1, 0], "{text}");
        let around = page.replace(data, "");
        assert!(!around.contains("<img") && !around.contains("\"' onclick"), "{text}");
        assert_eq!(rows(&page).len(), 1);
    }
}

#[test]
fn the_policy_knows_the_style_and_the_script_by_their_hashes_and_nothing_else() {
    let page = page(&[failing()]);
    let hash = |text: &str| format!("'sha256-{}'", base64::encode(Sha256::digest(text)));
    let (style, script) = (contents(&page, "<style>", "</style>")[0], contents(&page, "<script>", "</script>")[0]);
    let policy = contents(&page, "<meta http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    let expected = format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    );
    assert_eq!(policy, expected);
    assert!(!page.contains("{{"), "every place is filled");
    assert!(!page.contains(" style="), "the policy allows no styles of elements");
    // The name of SVG within the icon is not loaded by anybody.
    let page = page.replace("xmlns='http://www.w3.org/2000/svg'", "");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "nothing is loaded");
    for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!script.contains(way), "the script makes no markup out of texts: {way}");
    }
}

#[test]
fn rows_are_small() {
    let copy = |number: usize| {
        let digest = format!(
            "sha256:{}",
            Sha256::digest(number.to_string()).iter().map(|b| format!("{b:02x}")).collect::<String>()
        );
        let text = failing().to_string().replace("grafana/grafana", &format!("team/service-{}", number % 50));
        let mut report: Value = serde_json::from_str(&text.replace("11.4.0", &format!("1.{number}"))).unwrap();
        report["arrival"]["digest"] = json!(digest);
        report["image"]["digest"] = json!(digest);
        report["arrival"]["pushedAt"] = json!("2026-11-16T01:54:01Z");
        report
    };
    let (none, thousand) = (page(&[]), page(&(0..1000).map(copy).collect::<Vec<_>>()));
    let row = (thousand.len() - none.len()) / 1000;
    assert!(row < 150, "{row} bytes a row");
    assert!(none.len() < 60_000, "{} bytes without a row", none.len());
}

#[test]
fn the_headline_says_how_it_stands() {
    let with = |verdict: &str| json!({"schema": "ecr-preflight/1", "verdict": verdict});
    for (verdicts, headline) in [
        (vec![], "There was no image to look at"),
        (vec!["fails"], "1 of 1 image will not start"),
        (vec!["fails", "unknown", "runs", "runs"], "1 of 4 images will not start"),
        (vec!["unknown", "runs"], "Nothing is known to fail, but 1 of 2 images could not be told"),
        (vec!["runs", "runs", "ignored"], "Every image starts where it is meant to run"),
        (vec!["runs", "undeclared"], "Every image with a declared runtime starts there"),
        (vec!["undeclared", "undeclared"], "Where they may run is not declared"),
        (vec!["ignored"], "None of this is an image to check"),
        (vec!["a verdict of a later version"], "Nothing is known to fail, but 1 of 1 image could not be told"),
    ] {
        let page = page(&verdicts.iter().map(|verdict| with(verdict)).collect::<Vec<_>>());
        assert_eq!(contents(&page, "<h1>", "</h1>"), [headline], "{verdicts:?}");
    }
}

#[test]
fn results_that_cannot_be_read_are_named_with_their_line() {
    let good = failing().to_string();
    for (lines, said) in [
        (format!("{good}\n\n{{\"schema\"\n"), "line 3: EOF while parsing an object"),
        (good.replace("ecr-preflight/1", "ecr-preflight/9"), "line 1: its schema is not ecr-preflight/1"),
        (format!("{good}\n{{}}\n"), "line 2: missing field `schema`"),
        (format!("{good}\n{}\n", " ".repeat(9 << 20)), "line 2: it is longer than 8 MiB"),
    ] {
        let (output, page) = run(&lines);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), page.is_some()), (Some(2), false), "{error}");
        assert!(error.contains("results.jsonl cannot be read: ") && error.contains(said), "{error}");
    }
    let (output, _) = run(&good);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("wrote "));
    let nowhere = tool(&["page", "Cargo.toml", "--output", "/nonexistent/audit.html"]);
    let error = String::from_utf8(nowhere.stderr).unwrap();
    assert!(error.starts_with("error: /nonexistent/audit.html cannot be written"), "{error}");
}

#[test]
fn lines_that_are_no_answers_are_counted_and_said() {
    let good = json!({"schema": "ecr-preflight/1", "verdict": "runs"});
    let error = json!({"schema": "ecr-preflight/error/1", "reference": "a", "verdict": "unknown", "error": "b"});
    for (lines, headline, notes) in [
        (
            format!("{good}\n{error}\n{error}\n"),
            "Nothing is known to fail, but not everything was looked at",
            vec!["2 images got no answer: the results hold an error in their place."],
        ),
        (
            format!("{error}\n"),
            "Nothing was looked at",
            vec!["1 image got no answer: the results hold an error in its place."],
        ),
        (
            format!("{good}\n{{\"schema\":\"ecr-pre"),
            "Nothing is known to fail, but not everything was looked at",
            vec!["The last line of the results is torn: what was being written is not here."],
        ),
        (format!("{good}\n{good}"), "Every image starts where it is meant to run", vec![]),
    ] {
        let (output, page) = run(&lines);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let page = page.unwrap();
        assert_eq!(contents(&page, "<h1>", "</h1>"), [headline]);
        let said: Vec<&str> = contents(&page, "<p class=\"note\">", "</p>");
        assert_eq!(said.into_iter().filter(|note| !note.contains("script")).collect::<Vec<_>>(), notes);
    }
}

#[test]
fn an_image_is_shown_once_however_often_it_stands_in_the_results() {
    let report = failing();
    let mut other = report.clone();
    other["settings"] = json!("runtime=ecs/arm64");
    let page = page(&[report.clone(), report.clone(), other, report]);
    assert_eq!(rows(&page).len(), 2, "with other settings it is another answer");
    assert!(page.contains("2 of 2 images will not start"), "the head counts as the rows do");
}

#[test]
fn the_page_is_written_to_standard_output_or_through_a_link_and_never_over_its_results() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("results"), format!("{}\n", failing())).unwrap();
    let printed = tool(&["page", &path("results"), "--output", "-"]);
    assert!(printed.status.success() && printed.stderr.is_empty());
    std::os::unix::fs::symlink("target", path("link")).unwrap();
    assert!(tool(&["page", &path("results"), "--output", &path("link")]).status.success());
    assert_eq!(fs::read(path("target")).unwrap(), printed.stdout);
    assert!(directory.path().join("link").is_symlink());
    assert_eq!(tool(&["page", &path("results"), "--output", "/dev/stdout"]).stdout, printed.stdout);
    fs::hard_link(path("results"), path("other")).unwrap();
    for output in ["results", "other"] {
        let refused = tool(&["page", &path("results"), "--output", &path(output)]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("is named twice: for the results and for --output\n\nhint: "), "{said}");
    }
    assert_eq!(fs::read_to_string(path("results")).unwrap(), format!("{}\n", failing()));
}

#[test]
fn the_page_and_the_readme_know_the_same_faults() {
    let readme = fs::read_to_string("README.md").unwrap();
    let table = readme.split_once("| fault | what it means |").unwrap().1.split_once("\n\n").unwrap().0;
    let listed = table.lines().skip(2).map(|line| contents(line, "| `", "`")[0]);
    for code in listed {
        let mut report = failing();
        report["runtimes"][0]["faults"][0]["code"] = json!(code);
        let page = page(&[report]);
        let shown = contents(&page, &format!("<code>{code}</code> <span class=\"means\">"), "</span>");
        assert!(!shown[0].is_empty(), "the page does not say what {code} means");
    }
}
