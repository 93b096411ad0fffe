//! Help, manual pages, shell completions and version.

use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::expect;
use tempfile::TempDir;

use crate::cli::run;

/// Standard output of a successful run.
fn stdout_of(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-preflight")).args(arguments).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

const COMMANDS: [&str; 8] = ["audit", "check", "replay", "binary", "declare", "completions", "man", "page"];

#[test]
fn bash_completes_commands_and_options() {
    let script = stdout_of(&["completions", "bash"]);
    let complete = |words: &[&str]| {
        let last = words.len() - 1;
        let (word, before) = (words[last], words[last - 1]);
        let completion = format!(
            "{script}\nCOMP_WORDS=({}) COMP_CWORD={last}\n_ecr__preflight ecr-preflight '{word}' '{before}'\n\
             printf '%s ' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
        );
        let output = Command::new("bash").args(["--norc", "-c", &completion]).output().unwrap();
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
fn completion_scripts_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout_of(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{command} in {shell}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let directory = TempDir::new().unwrap();
    let man = directory.path().join("share/man1");
    let written = stdout_of(&["man", "--dir", man.to_str().unwrap()]);
    let mut pages: Vec<String> =
        std::fs::read_dir(&man).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let mut expected: Vec<String> = COMMANDS.iter().map(|command| format!("ecr-preflight-{command}.1")).collect();
    expected.push("ecr-preflight.1".to_owned());
    expected.sort();
    assert_eq!((written.lines().count(), pages), (expected.len(), expected));
    assert_eq!(stdout_of(&["man"]), std::fs::read_to_string(man.join("ecr-preflight.1")).unwrap());
    assert_eq!(stdout_of(&["man", "check"]), std::fs::read_to_string(man.join("ecr-preflight-check.1")).unwrap());
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
fn manual_pages_pass_groff_without_warnings() {
    // Without groff, only the sections of the pages are checked.
    let groff = Command::new("groff").arg("--version").output().is_ok();
    for page in [&["man"][..], &["man", "check"], &["man", "declare"], &["man", "completions"]] {
        let page = stdout_of(page);
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
fn version_names_the_commit() {
    let text = stdout_of(&["--version"]);
    let rest = text.strip_prefix(concat!("ecr-preflight ", env!("CARGO_PKG_VERSION"))).unwrap().trim_end();
    if let Some(commit) = rest.strip_prefix(" (") {
        let (hash, date) = commit.strip_suffix(')').unwrap().split_once(' ').unwrap();
        let hash = hash.strip_suffix("-dirty").unwrap_or(hash);
        assert!(hash.len() >= 12 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{text}");
        assert!(date.len() == 10 && date.split('-').all(|part| part.parse::<u16>().is_ok()), "{text}");
    } else {
        assert_eq!(rest, "");
    }
}

#[test]
fn help_of_check_and_replay() {
    expect![[r#"
        success true code 0
        --- out
        Will this container image start where it is meant to run?

        An image's manifest and config are held against the runtimes that it is meant for, and what it
        starts is followed into its layers. Nothing is run.

        Usage: ecr-preflight [OPTIONS] <COMMAND>

        Commands:
          check        Check images against the runtimes that they are meant for
          replay       Replay an event through the function's own handler and print what it would send and
                       mark
          binary       Check one program, by its ELF header, against the runtimes that it is meant for
          audit        Check the images that a registry of Amazon ECR already holds
          declare      Declare where a repository's images are meant to run, by its resource tag; or list
                       what is declared
          completions  Print the script with which a shell completes this program's commands and options
          man          Print the manual page, or write all pages into a directory
          page         Make a page to look at, filter and pass on out of the results of an audit

        Options:
              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version

        Examples:
          Check what `docker buildx build --output type=oci,dest=image,tar=false` made, before it is pushed:
            ecr-preflight check oci:image:v1 --runtime ecs/arm64

          Check what `docker save app:v1 --output image.tar` wrote:
            ecr-preflight check docker-archive:image.tar --runtime ecs/amd64

          Check an image in Amazon ECR against what its repository declares:
            ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

          Check an image of any registry before it is copied:
            ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

          Check what a registry of Amazon ECR already holds:
            ecr-preflight audit --prefix team/ --results team.jsonl

          See what the function would say of an event, without an AWS account:
            ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

          Declare where a repository's images run; list what is declared:
            ecr-preflight declare team/app ecs/arm64 apprunner
            ecr-preflight declare --list

        Each command has more to say: `ecr-preflight check --help`

        Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, linux/amd64, linux/arm64

        Exit code: 0 it runs, or nothing is declared for it; 1 it fails; 2 it could not be told, or an
        error; 64 the command line or a setting is wrong, and nothing was done
        --- err
    "#]]
    .assert_eq(&run(&["--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Check images against the runtimes that they are meant for.

        Without --runtime, what an image's tag, its repository's resource tag or its label declares counts.

        Usage: ecr-preflight check [OPTIONS] <IMAGE>...

        Arguments:
          <IMAGE>...
                  `oci:DIR[:TAG|@DIGEST]` for an OCI image layout, `oci-archive:FILE[:TAG|@DIGEST]` for a
                  tar archive of one, `docker-archive:FILE[:[REPOSITORY:]TAG]` for what `docker save`
                  writes, the URI of an image in Amazon ECR, or `HOST[:PORT]/REPO[:TAG][@DIGEST]` for one in
                  any other registry, with docker's credentials; without HOST, Docker Hub

        Options:
              --runtime <RUNTIME>
                  Where they are meant to run; may be given several times

          -v, --verbose
                  Say on standard error how much was read, and how long it took

              --no-exec
                  Read labels only: do not look into layers at what the image really starts

              --platforms
                  Show what each image holds, platform by platform, and what its programs are made for,
                  whatever the runtime

              --format <FORMAT>
                  What to print

                  Possible values:
                  - text:  For people
                  - json:  For programs: one object, schema `ecr-preflight/1`; of several images, one on
                    each line
                  - sarif: For code scanning, GitHub's for example: one SARIF 2.1.0 log
                  - junit: For CI servers: one `JUnit` report, a test suite for each image

                  [default: text]

              --dockerfile <FILE>
                  Where SARIF shows findings: the file that the images are built from, as a path from the
                  top of the repository

                  [default: Dockerfile]

              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
          ecr-preflight check oci:image@sha256:3c949327… --runtime lambda/amd64 --format json
          ecr-preflight check docker-archive:image.tar --runtime ecs/amd64
          ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
          ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
          ecr-preflight check oci-archive:api.tar oci-archive:worker.tar --runtime ecs/arm64 --format sarif
          ecr-preflight check --platforms grafana/grafana:11.4.0

        Exit code: 1 if any image fails; else 2 if any could not be told or read; else 0;
        64 if the command line or a setting is wrong, and then nothing is checked
        --- err
    "#]]
    .assert_eq(&run(&["check", "--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Replay an event through the function's own handler and print what it would send and mark.

        Settings come from the same PREFLIGHT_ variables as the function's.

        Usage: ecr-preflight replay [OPTIONS] <EVENT>

        Arguments:
          <EVENT>
                  The event, a JSON file as EventBridge delivers it

        Options:
              --layout <DIR>
                  An OCI image layout that stands in for the repository; without it, Amazon ECR is read

              --declared <RUNTIMES>
                  The value of the repository's resource tag that declares runtimes, in the layout's place

              --no-exec
                  Read labels only: do not look into layers at what the image really starts

              --format <FORMAT>
                  What to print: the message as people see it, or the function's return value

                  Possible values:
                  - text: For people
                  - json: For programs: one object, schema `ecr-preflight/1`

                  [default: text]

              --color <WHEN>
                  Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner
          PREFLIGHT_VERDICT_TAGS=failures ecr-preflight replay events/push-arm64-for-ecs-amd64.json --layout
          events/images
          ecr-preflight replay event.json --format json
        --- err
    "#]]
    .assert_eq(&run(&["replay", "--help"], &[]));
}

#[test]
fn help_is_printed_without_arguments() {
    let text = run(&[], &[]);
    assert!(text.starts_with("success false code 64\n--- out\n--- err\n"), "{text}");
    for command in COMMANDS {
        assert!(text.contains(&format!("\n  {command} ")), "{command} in {text}");
    }
}
