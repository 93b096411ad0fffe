//! Going on with a file of results.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::{Stage, subjects};

const RESULTS: [&str; 4] = ["--all", "--results", "DIR/x.jsonl", "--format=jsonl"];

/// A registry of 60 images in three repositories, none of which runs.
fn stage() -> Stage {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.aws.push_indexes(name, 20, "arm64");
        stage.aws.tag_resource(name, "intended-runtime", "apprunner");
    }
    stage
}

/// Everything that is there, once.
fn all() -> Vec<String> {
    let mut all: Vec<String> =
        ["a", "b", "c"].iter().flat_map(|name| (0..20).map(move |number| format!("{name}:v{number}"))).collect();
    all.sort();
    all
}

/// Which images are asked about from here on.
fn asked(stage: &Stage, from: usize) -> usize {
    stage.aws.calls_of("BatchGetImage").len() - from
}

#[test]
fn what_is_there_is_not_asked_about_again() {
    let stage = stage();
    stage.output(&RESULTS);
    assert_eq!((subjects(&stage.lines("x.jsonl")), asked(&stage, 0)), (all(), 60));
    let before = fs::read(stage.path("x.jsonl")).unwrap();
    let output = stage.output(&RESULTS);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((fs::read(stage.path("x.jsonl")).unwrap() == before, asked(&stage, 60)), (true, 0));
    // What was there counts in what is printed.
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 60);
    stage.output(&[&RESULTS[..], &["--fresh"]].concat());
    assert_eq!((stage.lines("x.jsonl").len(), asked(&stage, 60)), (60, 60));
}

#[test]
fn a_torn_last_line_is_cut_off_and_asked_about_again() {
    let stage = stage();
    stage.output(&RESULTS);
    let path = stage.path("x.jsonl");
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for (number, end) in [last + 1, last + 5, last + 200, whole.len() - 1].into_iter().enumerate() {
        fs::write(&path, &whole[..end]).unwrap();
        stage.output(&RESULTS);
        assert_eq!(subjects(&stage.lines("x.jsonl")), all(), "cut at {end}");
        // One that is whole but for its end is not asked about again.
        assert_eq!(asked(&stage, 60), (number + 1).min(3));
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_out_and_nothing_twice() {
    let stage = stage();
    stage.aws.delay(Duration::from_millis(20));
    let mut kills = 0;
    for until in [10, 25, 40] {
        let mut running = stage.command(&[&RESULTS[..], &["--concurrency", "4"]].concat()).spawn().unwrap();
        let began = Instant::now();
        let lines =
            || fs::read(stage.path("x.jsonl")).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        while lines() < until && running.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.kill().unwrap();
        kills += usize::from(!running.wait().unwrap().success());
        assert!((until..60).contains(&lines()), "{} lines", lines());
    }
    assert_eq!(kills, 3);
    assert_eq!(stage.output(&RESULTS).status.code(), Some(1));
    assert_eq!(subjects(&stage.lines("x.jsonl")), all());
    // Besides all 60, at most what was under way each time, four images, was asked about a second time.
    assert!((60..=72).contains(&asked(&stage, 0)), "{}", asked(&stage, 0));
}

#[test]
fn an_interrupted_run_says_how_far_it_came_and_how_to_go_on() {
    for signal in ["-INT", "-TERM"] {
        interrupted_by(signal);
    }
}

fn interrupted_by(signal: &str) {
    let stage = stage();
    stage.aws.delay(Duration::from_millis(50));
    let arguments = ["--all", "--results", "DIR/x.jsonl", "--concurrency", "2"];
    let running = stage.command(&arguments).spawn().unwrap();
    let began = Instant::now();
    while fs::read(stage.path("x.jsonl")).unwrap_or_default().is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupted = Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = running.wait_with_output().unwrap();
    let shown = stage.shown(&output);
    assert_eq!(output.status.code(), Some(130), "{shown}");
    let lines = stage.lines("x.jsonl").len();
    assert!((1..60).contains(&lines));
    assert!(shown.contains(&format!("{lines} image")) && shown.contains("interrupted: "), "{shown}");
    assert!(shown.contains("results in DIR/x.jsonl: the same command goes on with what is missing"), "{shown}");
    stage.aws.delay(Duration::ZERO);
    stage.output(&arguments);
    assert_eq!(subjects(&stage.lines("x.jsonl")), all());
}

#[test]
fn a_file_that_is_something_else_is_left_as_it_is() {
    let stage = stage();
    let mut shown = String::new();
    for text in [
        "notes\n",
        "notes",
        "{}\n",
        "{\"schema\":\"ecr-preflight/2\"}\n",
        "{\"schema\":\"ecr-preflight/1\"}\n",
        "{",
        "{\"schema\":\"ecr-preflight/1\",\"image\":{},\"big\":\"important\"}",
        "{\"schema\":\"ecr-preflight/1\",\"image\":",
        "{\"schema\":\"ecr-preflight/1\",\"arrival\":{},\"big\":\"important\"}",
        "\n",
    ] {
        for fresh in [&[][..], &["--fresh"]] {
            fs::write(stage.path("x.jsonl"), text).unwrap();
            shown = stage.run(&[&RESULTS[..], fresh].concat());
            assert!(shown.starts_with("success false code 2"), "{text:?}: {shown}");
            assert_eq!(fs::read_to_string(stage.path("x.jsonl")).unwrap(), text);
        }
    }
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: DIR/x.jsonl is not a file of results: line 1 is none: it is no report: EOF while parsing a value at line 2 column 0

        hint: it was left as it is; name another file
    "#]].assert_eq(&shown);
    assert_eq!(stage.aws.calls().len(), 0);
}

#[test]
fn a_file_that_was_begun_with_other_settings_is_not_gone_on_with() {
    let stage = stage();
    stage.output(&RESULTS);
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: DIR/x.jsonl was begun with other settings: `inspect=manifest`, now `runtime=ecs/arm64 inspect=manifest`

        hint: use the same settings, another file, or `--fresh` to begin anew
    "#]]
    .assert_eq(&stage.run(&["--all", "--results", "DIR/x.jsonl", "--runtime", "ecs/arm64"]));
    let output = stage.command(&RESULTS).env("PREFLIGHT_LIMITS", "seconds=7").output().unwrap();
    assert!(stage.shown(&output).contains("now `inspect=manifest seconds=7`"), "{}", stage.shown(&output));
    // What does not change an answer may be another.
    assert_eq!(stage.output(&["--newest=2", "--results", "DIR/x.jsonl"]).status.code(), Some(1));
}

#[test]
fn old_results_stay_until_there_are_new_ones() {
    let stage = stage();
    stage.output(&RESULTS);
    let before = fs::read(stage.path("x.jsonl")).unwrap();
    let fresh = [&RESULTS[..], &["--fresh", "--csv", "DIR/x.csv", "--html", "DIR/x.html"]].concat();
    let mut nowhere = stage.command(&fresh);
    nowhere.env_remove("AWS_REGION").env("AWS_EC2_METADATA_DISABLED", "true");
    let mut stranger = stage.command(&fresh);
    stranger.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
    let mistyped = stage.command(&[&fresh[..], &["--prefix", "x/"]].concat());
    for mut command in [nowhere, stranger, mistyped] {
        assert_eq!(command.output().unwrap().status.code(), Some(2));
        assert_eq!(fs::read(stage.path("x.jsonl")).unwrap(), before);
    }
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 1, "nothing else is left");
    // Nor does a run that fails at its start leave a file where there was none.
    fs::remove_file(stage.path("x.jsonl")).unwrap();
    assert_eq!(stage.output(&[&fresh[..], &["--prefix", "x/"]].concat()).status.code(), Some(2));
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 0);
}

#[test]
fn one_file_is_not_written_in_two_ways() {
    let stage = stage();
    stage.output(&RESULTS);
    let before = fs::read(stage.path("x.jsonl")).unwrap();
    for twice in [["--csv", "DIR/x.jsonl"], ["--html", "DIR/./x.jsonl"]] {
        let shown = stage.run(&[&RESULTS[..], &twice].concat());
        let said = format!("is named twice: for --results and for {}\n\nhint: ", twice[0]);
        assert!(shown.starts_with("success false code 64") && shown.contains(&said), "{shown}");
    }
    let shown = stage.run(&["--csv", "DIR/new", "--html", "DIR/new"]);
    assert!(shown.contains("error: DIR/new is named twice: for --csv and for --html"), "{shown}");
    assert_eq!(fs::read(stage.path("x.jsonl")).unwrap(), before);
}

#[test]
fn results_are_kept_in_a_regular_file_or_not_at_all() {
    let stage = stage();
    for path in ["/dev/stdout", "/dev/null", "DIR"] {
        let shown = stage.run(&["--results", path]);
        assert!(shown.contains("is no regular file: ") && shown.contains("hint: name a file; "), "{shown}");
    }
    assert_eq!(stage.aws.calls().len(), 0);
}

#[test]
fn a_disk_that_is_full_is_told_with_the_file_that_it_is_about() {
    let stage = stage();
    let output = Command::new("bash")
        .args(["-c", "ulimit -f 1; trap '' XFSZ; exec \"$0\" audit --all --results \"$1\""])
        .args([env!("CARGO_BIN_EXE_ecr-preflight").as_ref(), stage.path("x.jsonl").as_os_str()])
        .env_clear()
        .envs(stage.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .unwrap();
    let shown = stage.shown(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("error: DIR/x.jsonl cannot be written: "), "{shown}");
    // The line that was torn is cut off, and what is missing is asked about.
    assert_eq!(stage.output(&RESULTS).status.code(), Some(1));
    assert_eq!(subjects(&stage.lines("x.jsonl")), all());
}

#[test]
fn two_audits_do_not_write_to_one_file() {
    let stage = stage();
    let mut file = OpenOptions::new().append(true).create(true).open(stage.path("x.jsonl")).unwrap();
    file.try_lock().unwrap();
    assert!(stage.run(&RESULTS).contains("error: another audit is writing to DIR/x.jsonl"));
    file.unlock().unwrap();
    file.flush().unwrap();
    assert_eq!(stage.output(&RESULTS).status.code(), Some(1));
}
