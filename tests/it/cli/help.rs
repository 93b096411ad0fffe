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

const COMMANDS: [&str; 11] =
    ["audit", "check", "replay", "binary", "declare", "consumers", "completions", "man", "page", "help", "version"];

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
        error: unknown command `chek`

        hint: `ecr-preflight --help` lists the commands
    "#]]
    .assert_eq(&run(&["man", "chek"], &[]));
    expect![[r#"
        success false code 3
        --- out
        --- err
        error: cannot write /dev/null/x
          caused by: Not a directory (os error 20)
    "#]]
    .assert_eq(&run(&["man", "--dir", "/dev/null/x"], &[]));
}

/// Runs a formatter of manual pages, if it is installed, and returns its output; its standard error must be empty.
fn format_page(program: &str, arguments: &[&str], page: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().ok()?;
    running.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn manual_pages_have_the_usual_sections() {
    let mut pages = vec![(stdout_of(&["man"]), stdout_of(&["--help"]))];
    pages.extend(COMMANDS.map(|command| (stdout_of(&["man", command]), stdout_of(&[command, "--help"]))));
    for (page, help) in pages {
        let titles: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let titles: Vec<&str> = titles.iter().map(|title| title.trim_matches('"')).collect();
        let own = ["COMMANDS", "GLOBAL OPTIONS", "RUNTIMES", "IMAGE REFERENCES", "PERMISSIONS", "INSTALLATION"];
        let usual: Vec<&str> = titles.iter().copied().filter(|title| !own.contains(title)).collect();
        let expected =
            ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"];
        assert_eq!(usual, expected.iter().filter(|title| usual.contains(title)).copied().collect::<Vec<_>>());
        assert!(usual.len() == expected.len() || titles.contains(&"INSTALLATION"), "{titles:?}");
        // Every section of the help is one of the page; a title that the page does not know would be lost.
        let known = ["Usage", "Commands", "Arguments", "Options", "Examples", "Exit codes", "Image references"];
        let known = [&known[..], &["Global options", "Permissions", "To install the script", "Runtimes"]].concat();
        for (title, rest) in help.lines().filter_map(|line| line.split_once(':')) {
            let is_title = !title.starts_with(' ') && rest.is_empty() && title.len() < 30;
            assert!(!is_title || known.contains(&title), "{title}");
        }
    }
}

#[test]
fn manual_pages_have_no_warnings_and_examples_that_can_be_copied() {
    for command in [None].into_iter().chain(COMMANDS.map(Some)) {
        let page = stdout_of(&["man"].into_iter().chain(command).collect::<Vec<_>>());
        format_page("mandoc", &["-T", "lint", "-W", "warning"], &page);
        // Wide lines without colors and overstrikes, so that examples stay as they are.
        let arguments = ["-man", "-Tutf8", "-ww", "-b", "-Kutf8", "-P-cbou", "-rLL=200n"];
        let Some(text) = format_page("groff", &arguments, &page) else { continue };
        let help = stdout_of(&["help"].into_iter().chain(command).collect::<Vec<_>>());
        let is_code = |line: &&str| line.starts_with("  ") && (line.contains("ecr-preflight ") || line.contains("~/"));
        let sections = ["Examples:", "To install the script:"].iter().filter_map(|title| help.split_once(title));
        let block = sections.map(|(_, rest)| rest.split("\n\nExit codes").next().unwrap()).next().unwrap();
        for line in block.lines().filter(is_code) {
            assert!(text.lines().any(|shown| shown.trim() == line.trim()), "{line}\n{text}");
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
fn version_command_adds_the_target() {
    let (version, text) = (stdout_of(&["--version"]), stdout_of(&["version"]));
    let target = text.strip_prefix(&version).unwrap().strip_prefix("target: ").unwrap().trim_end();
    assert!(target.starts_with(std::env::consts::ARCH), "{text}");
}

#[test]
fn help_command_prints_the_help_of_a_command() {
    assert_eq!(stdout_of(&["help"]), stdout_of(&["--help"]));
    for command in COMMANDS {
        assert_eq!(stdout_of(&["help", command]), stdout_of(&[command, "--help"]), "{command}");
    }
    assert!(stdout_of(&["--color=always", "help", "check"]).contains("\u{1b}[1m"));
    expect![[r#"
        success false code 64
        --- out
        --- err
        error: unknown command `chek`

        hint: `ecr-preflight --help` lists the commands
    "#]]
    .assert_eq(&run(&["help", "chek"], &[]));
}

#[test]
fn help_of_check_and_replay() {
    expect![[r#"
        success true code 0
        --- out
        Check whether a container image will start where it is meant to run.

        ecr-preflight compares an image's manifest and config with the runtimes that the image is meant for.
        It also follows the entrypoint through the layers to the program that starts. Nothing in the image
        is executed.

        `ecr-preflight help COMMAND` explains a command.

        Usage: ecr-preflight [OPTIONS] <COMMAND>

        Commands:
          check        Check whether images will start on the runtimes that they are meant for
          audit        Check the images that a registry of Amazon ECR already contains
          page         Convert the results of an audit to an HTML page, CSV or Markdown
          declare      Declare where the images of a repository run, or list the declarations
          consumers    List what runs the images of Amazon ECR: services, tasks, functions, job definitions
                       and agent runtimes
          replay       Run an event through the function's handler, and print what it would send
          binary       Show the platform that a program file is built for
          completions  Print a script that completes commands and options in a shell
          man          Print a manual page, or write all pages to a directory
          help         Explain a command, as `--help` does
          version      Print the version, and the platform that this program is built for

        Options:
          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version

        Global options:
              --color <WHEN>
                  When to use colors. `auto` uses them in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -v, --verbose
                  Show all causes of errors, and how much `check` read and how long it took, on standard
                  error

          -q, --quiet
                  Show only results and errors: no progress, notes or summaries. `check` reports only images
                  that do not pass

        Examples:
          Check an image before it is pushed:
            docker buildx build --output type=oci,dest=image.tar .
            ecr-preflight check oci-archive:image.tar --runtime ecs/arm64

          Check an image in Amazon ECR against what its repository declares:
            ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

          Check an image in any other registry:
            ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

          Check the images that Amazon ECR already holds:
            ecr-preflight audit --prefix team/ --results team.jsonl

          Declare where the images of a repository run:
            ecr-preflight declare team/app ecs/arm64 apprunner

          See what the deployed function would send for an event, without an AWS account:
            ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

        Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore, linux/amd64,
        linux/arm64

        Exit codes:
          0   the image runs, or no runtime is declared for it
          1   the image fails
          2   the result is unknown
          3   an error occurred, for example an image could not be read
          64  the command line or a setting is wrong; nothing was done
        --- err
    "#]]
    .assert_eq(&run(&["--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Check whether images will start on the runtimes that they are meant for.

        Prints a report for each image: what it is, whether it starts, and how to fix it if it does not.
        Without --runtime, an image is checked against the runtimes that its tag, its repository's resource
        tag or its label declares. If none is declared, the image fails only if its metadata contradicts its
        content.

        Usage: ecr-preflight check [OPTIONS] [IMAGE]...

        Arguments:
          [IMAGE]...
                  The images: local, or in a registry. See "Image references" below. Default: those in the
                  configuration file

        Options:
              --runtime <RUNTIME>
                  A runtime that the images are meant for, for example `ecs/arm64`. May be given several
                  times, or as a list with commas

                  [alias: --platform]
                  [possible values: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore,
                  linux/amd64, linux/arm64]

              --task-definition <FILE>
                  Check the images of the containers in this ECS task definition, each on its platform and
                  with its command: the input of `aws ecs register-task-definition`, or the output of
                  `terraform show -json`. May be given several times

              --no-exec
                  Read manifests and configs only; do not inspect the program in the layers

              --strict
                  Exit with code 2 if an image has the right architecture but its start could not be
                  verified, for example because the program is in a volume

              --require-declaration
                  Exit with code 2 if no runtime is declared for an image

              --config <FILE>
                  Read this configuration file. Default: `.ecr-preflight.toml` in the working directory or
                  the nearest directory above it, up to the root of the git repository

              --no-config
                  Do not read a configuration file

              --platforms
                  List the platforms of each image and of the programs in it, without checking runtimes

              --format <FORMAT[=FILE]>
                  The output format; `FORMAT=FILE` also writes a file. May be given several times, but only
                  once without a file

                  Possible values:
                  - text:  A report for people
                  - json:  One JSON object, schema `ecr-preflight/1`; for several images, one per line
                  - sarif: One SARIF 2.1.0 log, for code scanning
                  - junit: One JUnit report, for CI servers

                  [default: text]

          -o, --output <FILE>
                  Write to FILE instead of standard output

              --dockerfile <FILE>
                  The file at which `--format sarif` shows findings, relative to the root of the git
                  repository

                  [default: Dockerfile]

          -h, --help
                  Print help (see a summary with '-h')

        Global options:
              --color <WHEN>
                  When to use colors. `auto` uses them in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -v, --verbose
                  Show all causes of errors, and how much `check` read and how long it took, on standard
                  error

          -q, --quiet
                  Show only results and errors: no progress, notes or summaries. `check` reports only images
                  that do not pass

        Examples:
          ecr-preflight check oci-archive:image.tar --runtime ecs/arm64
          ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
          ecr-preflight check docker-archive:image.tar --runtime lambda/amd64 --format json
          ecr-preflight check docker-daemon:app:v1 --runtime apprunner
          docker save app:v1 | ecr-preflight check docker-archive:- --runtime apprunner
          ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
          ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
          ecr-preflight check oci-archive:api.tar oci-archive:worker.tar --runtime ecs/arm64 --format sarif
          ecr-preflight check oci-archive:api.tar --runtime ecs/arm64 --format text --format sarif=api.sarif
          ecr-preflight check --platforms grafana/grafana:11.4.0

        Image references:
          oci:DIR[:TAG|@DIGEST]                    an OCI image layout
          oci-archive:FILE[:TAG|@DIGEST]           a tar archive of an OCI image layout
          docker-archive:FILE[:[REPOSITORY:]TAG]   the output of `docker save`
          docker-daemon:NAME[:TAG]                 an image of the Docker engine
          [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]  an image in a registry

        `-` as FILE is standard input. HOST defaults to Docker Hub, TAG to `latest`. Amazon ECR is read with
        the
        credentials of the AWS CLI, other registries with those of docker.

        Exit codes:
          0   every image runs, or no runtime is declared for it
          1   an image fails, by a fault that is not waived
          2   a result is unknown; with --strict, the start of an image is not verified; with
              --require-declaration, no runtime is declared for an image
          3   an image could not be read: a missing file, missing credentials, the network
          64  the command line or a setting is wrong; no image was checked

        Of several images, 3 takes precedence over 1, and 1 over 2. After 3 the result is incomplete: other
        images may fail as well.
        --- err
    "#]]
    .assert_eq(&run(&["check", "--help"], &[]));
    expect![[r#"
        success true code 0
        --- out
        Run an event through the function's handler, and print what it would send.

        Prints the message and the verdict tags that the deployed function would write; nothing is sent or
        written. Settings are read from the PREFLIGHT_ variables, as in the function.

        Usage: ecr-preflight replay [OPTIONS] <EVENT>

        Arguments:
          <EVENT>
                  A JSON file with the event, as EventBridge delivers it

        Options:
              --layout <DIR>
                  Read images from this OCI image layout. Default: Amazon ECR

              --declared <RUNTIMES>
                  With --layout: the value of the repository's resource tag that declares runtimes

              --no-exec
                  Read manifests and configs only; do not inspect the program in the layers

              --format <FORMAT>
                  The output format

                  Possible values:
                  - text:  The message as it appears in Slack, and the verdict tags
                  - card:  The message to Slack, as JSON
                  - email: The e-mail
                  - sms:   The text message
                  - json:  The function's return value, schema `ecr-preflight/1`

                  [default: text]

          -h, --help
                  Print help (see a summary with '-h')

        Global options:
              --color <WHEN>
                  When to use colors. `auto` uses them in a terminal, unless `NO_COLOR` is set

                  [default: auto]
                  [possible values: auto, always, never]

          -v, --verbose
                  Show all causes of errors, and how much `check` read and how long it took, on standard
                  error

          -q, --quiet
                  Show only results and errors: no progress, notes or summaries. `check` reports only images
                  that do not pass

        Examples:
          ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner
          PREFLIGHT_VERDICT_TAGS=failures ecr-preflight replay event.json
          ecr-preflight replay event.json --format email
          ecr-preflight replay event.json --format json

        Exit codes:
          0   the image runs, no runtime is declared for it, or the event is ignored
          1   the image fails
          2   the result is unknown
          3   an error occurred, for example the event or the image could not be read
          64  the command line or a setting is wrong
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
