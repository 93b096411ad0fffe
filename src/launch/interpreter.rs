//! Finds the file that an interpreter runs according to its arguments. With an option that is not listed here the file is
//! not certain.

use crate::path::split_parent;

/// An interpreter of a programming language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpreter {
    Python,
    Node,
    Java,
}

/// Names of interpreters whose arguments are not checked.
const UNCHECKED_INTERPRETERS: [&[u8]; 4] = [b"perl", b"php", b"ruby", b"dotnet"];

/// Returns whether the arguments of interpreters with a file name are not checked.
pub(super) fn is_unchecked_interpreter(name: &[u8]) -> bool {
    UNCHECKED_INTERPRETERS.contains(&name)
}

/// Names of Node.js files that it does not complete with a suffix or look up as a module.
const NODE_SUFFIXES: [&[u8]; 3] = [b".js", b".mjs", b".cjs"];

impl Interpreter {
    /// Identifies an interpreter by the name that is called, and by the file that it resolves to.
    pub(super) fn identify(argv0: &[u8], file: &[u8]) -> Option<Self> {
        let [called, file] = [argv0, file].map(|path| Self::by_name(split_parent(path).1));
        called.filter(|_| called == file)
    }

    fn by_name(name: &[u8]) -> Option<Self> {
        let version = name.strip_prefix(b"python").unwrap_or(b"-");
        match name {
            b"node" | b"nodejs" => Some(Self::Node),
            b"java" => Some(Self::Java),
            _ if version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') => Some(Self::Python),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
        }
    }

    /// Returns whether it certainly refuses an option because of a carriage return at its end, as measured with Python
    /// 3.11.
    pub(super) fn refuses_carriage_return(self, option: &[u8]) -> bool {
        let letters = option.strip_prefix(b"-").and_then(|rest| rest.strip_suffix(b"\r"));
        self == Self::Python && letters.is_some_and(|letters| letters.iter().all(|letter| b"uEsIBO".contains(letter)))
    }

    /// Returns whether it runs a module of Python, which is looked up in directories that are not checked.
    /// `arguments` excludes `argv[0]`.
    pub(super) fn runs_module(self, arguments: &[Vec<u8>]) -> bool {
        let is_option = |word: &&Vec<u8>| word.starts_with(b"-");
        self == Self::Python && arguments.iter().take_while(is_option).any(|word| word.starts_with(b"-m"))
    }

    /// Returns the file that it runs: `python FILE`, `node FILE.js`, `java -jar FILE`. `arguments` excludes `argv[0]`.
    pub(super) fn find_file(self, arguments: &[Vec<u8>]) -> Option<&[u8]> {
        let skip = |is_flag: fn(&[u8]) -> bool| {
            arguments.iter().map(Vec::as_slice).skip_while(move |word| word.starts_with(b"-") && is_flag(word))
        };
        match self {
            // python(1), "COMMAND LINE OPTIONS", without those that take a value or run something else.
            Self::Python => {
                let is_flag = |word: &[u8]| word.len() > 1 && word[1..].iter().all(|c| b"uBEIOSsbdqv".contains(c));
                skip(is_flag).next().filter(|word| !word.starts_with(b"-"))
            }
            // node(1). Options, for example `--require`, may change how the file is found.
            Self::Node => {
                let is_flag = |word: &[u8]| {
                    word.starts_with(b"--max-old-space-size=")
                        || word.starts_with(b"--max_old_space_size=")
                        || [b"--enable-source-maps".as_slice(), b"--expose-gc", b"--no-deprecation", b"--no-warnings"]
                            .contains(&word)
                };
                skip(is_flag).next().filter(|word| NODE_SUFFIXES.iter().any(|suffix| word.ends_with(suffix)))
            }
            // java(1), "Standard Options for Java" and those that begin with -X.
            Self::Java => {
                let is_flag = |word: &[u8]| {
                    word.starts_with(b"-D")
                        || word.starts_with(b"-X")
                        || [b"-server".as_slice(), b"-ea"].contains(&word)
                };
                let mut rest = skip(is_flag);
                rest.next().filter(|word| *word == b"-jar")?;
                rest.next().filter(|word| !word.starts_with(b"-"))
            }
        }
    }

    /// Formats the message about a file that does not exist, unless it depends on the version.
    pub(super) fn missing_message(self, argv0: &[u8], file: &[u8]) -> Option<String> {
        let [argv0, path] = [argv0, file].map(|text| std::str::from_utf8(text).ok());
        let (argv0, path) = (argv0?, path?);
        let is_absolute = path.starts_with('/');
        match self {
            Self::Java => Some(format!("Error: Unable to access jarfile {path}")),
            Self::Python if is_absolute => {
                Some(format!("{argv0}: can't open file '{path}': [Errno 2] No such file or directory"))
            }
            Self::Node if is_absolute => Some(format!("Error: Cannot find module '{path}'")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_found_behind_known_options() {
        for (line, expected) in [
            ("python app.py x", Some("app.py")),
            ("python3 -u -OO /srv/app.py", Some("/srv/app.py")),
            ("python3.11 -uB app", Some("app")),
            ("python3 -m app", None),
            ("python3 -c x", None),
            ("python3 -X dev app.py", None),
            ("python3 -", None),
            ("python3", None),
            ("pythonw app.py", None),
            ("node server.js", Some("server.js")),
            ("nodejs --max-old-space-size=512 --enable-source-maps dist/main.mjs", Some("dist/main.mjs")),
            ("node dist/main", None),
            ("node -r x server.js", None),
            ("node inspect", None),
            ("java -jar app.jar", Some("app.jar")),
            ("java -Xmx1g -Da=b -XX:+UseG1GC -jar /app.jar x", Some("/app.jar")),
            ("java -cp x -jar app.jar", None),
            ("java Main", None),
            ("java @args -jar app.jar", None),
        ] {
            let argv: Vec<Vec<u8>> = line.split(' ').map(Vec::from).collect();
            let found = Interpreter::identify(&argv[0], &argv[0]).and_then(|kind| kind.find_file(&argv[1..]));
            assert_eq!(found, expected.map(str::as_bytes), "{line}");
        }
        assert_eq!(Interpreter::identify(b"python", b"usr/bin/python3.12"), Some(Interpreter::Python));
        assert_eq!(Interpreter::identify(b"python", b"usr/bin/tool"), None);
    }
}
