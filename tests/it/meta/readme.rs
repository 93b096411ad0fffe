//! The README: its commands are run here or by `.ci/run`, and print what it shows.

use std::fs;
use std::process::Command;

/// The commands in the README's console blocks, each with the output that it shows.
fn consoles(readme: &str) -> Vec<(String, String)> {
    let blocks = readme.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let command = |block: &str| {
        let (command, printed) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        (command.to_owned(), printed.to_owned())
    };
    blocks.map(command).collect()
}

#[test]
fn readme_commands_print_what_is_shown() {
    let ci = fs::read_to_string(".ci/run").unwrap();
    let consoles = consoles(&fs::read_to_string("README.md").unwrap());
    assert!(consoles.len() >= 4, "the README shows commands");
    for (command, printed) in consoles {
        let own = command.strip_prefix("ecr-preflight ").or(command.strip_prefix("cargo run -- "));
        match own {
            Some(arguments) => {
                let mut tool = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
                let output = tool.args(arguments.split_whitespace()).output().unwrap();
                assert_eq!(String::from_utf8(output.stdout).unwrap(), printed, "{command}");
            }
            None => assert!(ci.contains(&command), "`{command}` is run neither here nor by .ci/run"),
        }
    }
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = fs::read_to_string("README.md").unwrap();
    for variable in &ecr_preflight::settings::VARIABLES {
        assert!(readme.contains(&format!("| `{}` |", variable.name)), "{} is missing", variable.name);
    }
}
