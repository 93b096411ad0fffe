//! `binary`: the platform of one program.

use expect_test::{Expect, expect};

use crate::cli::check;
use crate::support::elf;
use crate::support::layout::Builder;

#[test]
fn program_platform_is_read_from_its_header() {
    let layout = Builder::new();
    std::fs::write(layout.path().join("arm64"), elf::program("arm64")).unwrap();
    std::fs::write(layout.path().join("script"), "#!/bin/sh\n").unwrap();
    let check = |arguments: &[&str], expected: Expect| check(&layout, arguments, &expected);
    check(
        &["binary", "DIR/arm64", "--runtime", "lambda/arm64"],
        expect![[r#"
            success true code 0
            --- out
            DIR/arm64 is built for linux/arm64
            it has the right architecture for Lambda on arm64
            --- err
        "#]],
    );
    check(
        &["binary", "DIR/arm64", "--runtime", "lambda/amd64", "--runtime", "ecs/arm64"],
        expect![[r#"
            success false code 1
            --- out
            DIR/arm64 is built for linux/arm64
            it will not start on Lambda on amd64
            it has the right architecture for ECS on arm64
            --- err
        "#]],
    );
    check(
        &["binary", "DIR/script"],
        expect![[r#"
            success false code 2
            --- out
            DIR/script: platform unknown: not an ELF file
            --- err
        "#]],
    );
    check(
        &["binary", "DIR/none"],
        expect![[r#"
            success false code 3
            --- out
            --- err
            error: cannot read DIR/none
              caused by: No such file or directory (os error 2)
        "#]],
    );
}
