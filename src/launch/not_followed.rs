//! Describes programs that certainly or probably start another one, if it is unknown which.

use super::follow::resolve_interpreters;
use super::interpreter::{Interpreter, is_unchecked_interpreter};
use super::next_launch::LaunchedProcess;
use super::program_kind::{LauncherKind, is_command_starter, kind_by_name};
use crate::path::{display_path, split_parent};
use crate::rootfs::Node;
use crate::shell::{ShellInvocation, parse_shell_arguments};
use crate::text::sanitize_quoted;

/// Options with which a shell reads commands from its standard input.
const INTERACTIVE_OPTIONS: [&[u8]; 5] = [b"-i", b"-l", b"-il", b"-li", b"--login"];

/// Returns why it is unknown what a started process starts next, or `None` if it is not known to start anything.
/// `chain` lists the paths that were opened to start the process, and `is_complete` is whether all its arguments are known.
pub(super) fn describe_not_followed(
    process: &LaunchedProcess<'_>,
    chain: &[Vec<u8>],
    is_complete: bool,
) -> Option<String> {
    let (program, argv) = resolve_interpreters(&process.view, chain.first()?, &process.argv)?;
    let found = process.view.resolve(&program).ok()?;
    let names = [argv.first()?, &program, &found.path].map(|path| split_parent(path).1);
    let describe = |what: &str| Some(format!("it is unknown what {what} starts"));
    match names.iter().find_map(|name| kind_by_name(name)) {
        Some(LauncherKind::Wrapper(wrapper)) => describe(wrapper.name()),
        Some(LauncherKind::Env) => describe("env"),
        Some(LauncherKind::Shell) if !is_complete => describe("the shell"),
        Some(LauncherKind::Shell) => match parse_shell_arguments(&argv, true) {
            Some(ShellInvocation::Script(path, ..)) => {
                describe(&format!("the script {}", sanitize_quoted(&display_path(path))))
            }
            Some(ShellInvocation::CommandString(..)) => describe("the shell command"),
            None if argv[1..].iter().all(|word| INTERACTIVE_OPTIONS.contains(&word.as_slice())) => None,
            None => describe("the shell"),
        },
        // The program may be a script, for example supervisord, whose interpreter is not known to start anything.
        None => {
            let interpreter = Interpreter::identify(argv.first()?, &found.path);
            let is_unchecked = |name: &&[u8]| is_unchecked_interpreter(name);
            let unchecked = names.into_iter().find(is_unchecked);
            // The script that an interpreter runs, also if `env` started the interpreter.
            let argument = argv[1..].iter().find(|word| !word.starts_with(b"-"));
            let file = argument.filter(|_| interpreter.is_some() || unchecked.is_some());
            let scripts = chain.iter().chain(file).map(|path| split_parent(path).1);
            let starter = names.into_iter().chain(scripts).find(|name| is_command_starter(name));
            match (starter, interpreter) {
                (Some(name), _) => describe(&display_path(name)),
                (None, Some(interpreter)) if !is_complete => {
                    Some(format!("the arguments of {} are not all known", interpreter.name()))
                }
                (None, Some(interpreter)) if interpreter.runs_module(&argv[1..]) => {
                    Some(format!("the modules of {} were not checked", interpreter.name()))
                }
                (None, _) => {
                    let is_file = |path: &Vec<u8>| {
                        process.view.resolve(path).is_ok_and(|found| matches!(found.node, Node::File(..)))
                    };
                    let is_known = is_complete && argv.get(1).is_none_or(is_file);
                    let name = unchecked.filter(|_| !is_known)?;
                    Some(format!("the arguments of {} were not checked", display_path(name)))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::elf::EM_X86_64;
    use crate::elf::sample::program;
    use crate::launch::sample::{chain, file, rootfs};

    #[test]
    fn programs_that_may_start_others_are_named() {
        let mut rootfs = rootfs();
        rootfs.insert(b"bin/supervisord".to_vec(), file(b"#!/bin/python3\n"));
        rootfs.insert(b"bin/script.pl".to_vec(), file(b"#!/bin/perl\n"));
        rootfs.insert(b"bin/pm2".to_vec(), file(b"#!/bin/env node\n"));
        rootfs.insert(b"for-bash".to_vec(), file(b"#!/bin/bash\nset -eo pipefail\nexec \"$@\"\n"));
        for name in ["timeout", "python3", "node", "perl"] {
            rootfs.insert(format!("bin/{name}").into(), file(&program(EM_X86_64, "")));
        }
        let script = |path: &str| format!("it is unknown what the script {path} starts");
        let unknown = |name: &str| format!("it is unknown what {name} starts");
        for (line, expected) in [
            ("own", None),
            ("bash", None),
            ("sh,-l", None),
            ("python3,-m,app", Some("the modules of python were not checked".to_owned())),
            ("tini,own", None),
            ("gosu,app,own", None),
            ("setpriv,--reuid=app,--regid=7,--init-groups,own", None),
            ("/entry,own", None),
            ("sh,-c,exec own", None),
            ("sh,-c,own $PORT", None),
            ("/other,own", Some(script("/other"))),
            ("/entry", Some(script("/entry"))),
            ("sh,/other", Some(script("/other"))),
            ("tini,/other", Some(script("/other"))),
            ("sh,-c,own || own", Some(unknown("the shell command"))),
            ("sh,-c,own && own", Some("only the first command of the shell was followed".to_owned())),
            ("bash,-s,x", Some(unknown("the shell"))),
            ("sh,-c,tini $A own", Some(unknown("tini"))),
            ("sh,-c,exec bash $A", Some(unknown("the shell"))),
            ("sh,-c,python3 \"$A\"", Some("the arguments of python are not all known".to_owned())),
            ("sh,-c,perl $A", Some("the arguments of perl were not checked".to_owned())),
            ("sh,/for-bash,own", Some(script("/for-bash"))),
            ("bash,/for-bash,own", None),
            ("tini,-x,own", Some(unknown("tini"))),
            ("env,-C,/,own", Some(unknown("env"))),
            ("setpriv,--dump", Some(unknown("setpriv"))),
            ("supervisord,-n", Some(unknown("supervisord"))),
            ("/bin/supervisord", Some(unknown("supervisord"))),
            ("tini,supervisord", Some(unknown("supervisord"))),
            ("python3,/bin/supervisord,-n", Some(unknown("supervisord"))),
            ("perl,/none.pl", Some("the arguments of perl were not checked".to_owned())),
            ("perl", None),
            ("script.pl", None),
            ("perl,/bin/script.pl", None),
            ("perl,-w,x.pl", Some("the arguments of perl were not checked".to_owned())),
            ("pm2,start,x.js", Some(unknown("pm2"))),
            ("timeout,9,own", Some(unknown("timeout"))),
            ("ash,-c,own", Some(unknown("the shell command"))),
            ("busybox,ash", Some(unknown("busybox"))),
            ("/loop", Some("more than 8 programs start one another".to_owned())),
        ] {
            let launches = chain(&rootfs, &line.split(',').collect::<Vec<_>>());
            let found: Vec<String> = launches.into_iter().filter_map(|launch| launch.not_followed).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{line}");
        }
    }
}
