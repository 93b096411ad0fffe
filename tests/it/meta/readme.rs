//! What the README shows is what happens: every command in it is run, here or by `.ci/run`.

use std::fs;
use std::process::Command;

use ecr_preflight::verdict::{FaultCode, FaultInfo};
use expect_test::expect_file;

/// The commands of the README's consoles, each with what it is said to print.
fn consoles(readme: &str) -> Vec<(String, String)> {
    let blocks = readme.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let command = |block: &str| {
        let (command, printed) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        (command.to_owned(), printed.to_owned())
    };
    blocks.map(command).collect()
}

#[test]
fn every_command_of_the_readme_does_what_it_shows() {
    let ci = fs::read_to_string(".ci/run").unwrap();
    let consoles = consoles(&fs::read_to_string("README.md").unwrap());
    assert!(consoles.len() >= 4, "the README shows commands");
    for (command, printed) in consoles {
        let own = command.strip_prefix("ecr-preflight ").or(command.strip_prefix("cargo run --features cli -- "));
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

/// Updated by `UPDATE_EXPECT=1 cargo test --features cli --test it fault_table`.
#[test]
fn fault_table_of_the_readme_is_that_of_the_code() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once("<!-- faults -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /faults -->").unwrap();
    let row = |code: &FaultCode| {
        let FaultInfo { name, explanation, .. } = code.info();
        format!("| `{name}` <a id=\"{name}\"></a> | {explanation} |\n")
    };
    let table = format!("| fault | meaning |\n|---|---|\n{}", FaultCode::ALL.iter().map(row).collect::<String>());
    expect_file!["../../../README.md"].assert_eq(&format!("{before}<!-- faults -->\n{table}<!-- /faults -->{after}"));
}
