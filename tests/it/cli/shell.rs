//! What a shell and a reader are given: completions, the manual, help, the version.

use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::expect;
use tempfile::TempDir;

use crate::cli::run;

/// Standard output of a run that succeeds.
fn out(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-preflight")).args(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

const COMMANDS: [&str; 8] = ["audit", "check", "replay", "binary", "declare", "completions", "man", "page"];

#[test]
fn a_real_bash_completes_commands_and_options() {
    let script = out(&["completions", "bash"]);
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let (word, before) = (words[last], words[last - 1]);
        let asked = format!(
            "{script}\nCOMP_WORDS=({}) COMP_CWORD={last}\n_ecr__preflight ecr-preflight '{word}' '{before}'\n\
             printf '%s ' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
        );
        let output = Command::new("bash").args(["--norc", "-c", &asked]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (words, completed) in [
        (&["ecr-preflight", "ch"][..], "check "),
        (&["ecr-preflight", "check", "--ru"], "--runtime "),
        (&["ecr-preflight", "declare", "--li"], "--list "),
        (&["ecr-preflight", "completions", "z"], "zsh "),
    ] {
        assert_eq!(complete(words), completed, "{words:?}");
    }
}

#[test]
fn every_shell_has_a_script_that_knows_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = out(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{command} in {shell}");
        }
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let directory = TempDir::new().unwrap();
    let man = directory.path().join("share/man1");
    let written = out(&["man", "--dir", man.to_str().unwrap()]);
    let mut pages: Vec<String> =
        std::fs::read_dir(&man).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let mut expected: Vec<String> = COMMANDS.iter().map(|command| format!("ecr-preflight-{command}.1")).collect();
    expected.push("ecr-preflight.1".to_owned());
    expected.sort();
    assert_eq!((written.lines().count(), pages), (expected.len(), expected));
    assert_eq!(out(&["man"]), std::fs::read_to_string(man.join("ecr-preflight.1")).unwrap());
    assert_eq!(out(&["man", "check"]), std::fs::read_to_string(man.join("ecr-preflight-check.1")).unwrap());
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: there is no command `chek`

        hint: `ecr-preflight --help` lists the commands
    "#]]
    .assert_eq(&run(&["man", "chek"], &[]));
    expect![[r#"
        success false code 2
        --- out
        --- err
        error: /dev/null/x cannot be written: Not a directory (os error 20)
    "#]]
    .assert_eq(&run(&["man", "--dir", "/dev/null/x"], &[]));
}

#[test]
fn manual_pages_are_what_groff_takes_without_a_warning() {
    // Where it is not installed, the form of the pages is all that can be looked at.
    let groff = Command::new("groff").arg("--version").output().is_ok();
    for page in [&["man"][..], &["man", "check"], &["man", "declare"], &["man", "completions"]] {
        let page = out(page);
        assert!(page.contains("\n.TH ") && page.contains("\n.SH NAME") && page.contains("\n.SH OPTIONS"), "{page}");
        if groff {
            let mut groff = Command::new("groff");
            groff.args(["-man", "-Tutf8", "-ww", "-b", "-z", "-Kutf8"]).stdin(Stdio::piped()).stderr(Stdio::piped());
            let mut groff = groff.spawn().unwrap();
            groff.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
            let output = groff.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert!(output.status.success());
        }
    }
}

#[test]
fn the_version_names_the_commit_where_there_is_one() {
    let said = out(&["--version"]);
    let rest = said.strip_prefix(concat!("ecr-preflight ", env!("CARGO_PKG_VERSION"))).unwrap().trim_end();
    if let Some(commit) = rest.strip_prefix(" (") {
        let (hash, date) = commit.strip_suffix(')').unwrap().split_once(' ').unwrap();
        let hash = hash.strip_suffix("-dirty").unwrap_or(hash);
        assert!(hash.len() >= 12 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{said}");
        assert!(date.len() == 10 && date.split('-').all(|part| part.parse::<u16>().is_ok()), "{said}");
    } else {
        assert_eq!(rest, "");
    }
}

#[test]
fn without_arguments_there_is_help() {
    let said = run(&[], &[]);
    assert!(said.starts_with("success false code 64\n--- out\n--- err\n"), "{said}");
    for command in COMMANDS {
        assert!(said.contains(&format!("\n  {command} ")), "{command} in {said}");
    }
}
