//! The environment variables that the commands read, themselves or through libraries, and what a page refers to.

use super::roff::{escape, format_bold, format_prose};

/// Variables with one meaning.
struct Variables {
    names: &'static [&'static str],
    text: &'static str,
    /// The commands that read them; empty for all.
    commands: &'static [&'static str],
}

/// The commands that call AWS.
const AWS: &[&str] = &["check", "audit", "consumers", "declare", "replay"];
/// The commands that check images.
const CHECKING: &[&str] = &["check", "audit", "consumers", "replay"];

/// Every variable that a user may want to set, in the order of a page.
const VARIABLES: [Variables; 26] = [
    Variables {
        names: &["AWS_PROFILE"],
        text: "The profile of the AWS configuration, as for the AWS CLI.",
        commands: AWS,
    },
    Variables {
        names: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        text: "The region, unless an image or a repository is named by its address, which contains the region.",
        commands: AWS,
    },
    Variables {
        names: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        text: "Credentials. They take precedence over those of a profile.",
        commands: AWS,
    },
    Variables {
        names: &["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
        text: "A role, and the file with the token for it, as a CI server or Kubernetes provides them.",
        commands: AWS,
    },
    Variables {
        names: &["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"],
        text: "The files of the AWS configuration. Default: `~/.aws/config` and `~/.aws/credentials`.",
        commands: AWS,
    },
    Variables {
        names: &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_SNS"],
        text: "Another endpoint for all services, for Amazon ECR or for Amazon SNS.",
        commands: AWS,
    },
    Variables {
        names: &[
            "AWS_ENDPOINT_URL_ECS",
            "AWS_ENDPOINT_URL_LAMBDA",
            "AWS_ENDPOINT_URL_APPRUNNER",
            "AWS_ENDPOINT_URL_BATCH",
            "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL",
        ],
        text: "Another endpoint for one of the services that run images.",
        commands: &["consumers", "declare"],
    },
    Variables {
        names: &["DOCKER_CONFIG"],
        text: "The directory of Docker's `config.json`, which has the credentials of registries. Default: `~/.docker`.",
        commands: &["check"],
    },
    Variables {
        names: &["DOCKER_HOST", "DOCKER_CONTEXT"],
        text: "The Docker engine that `docker-daemon:` reads from, as for the `docker` command.",
        commands: &["check"],
    },
    Variables {
        names: &["DOCKER_TLS_VERIFY"],
        text: "If it is set, a `tcp://` host is refused, because TLS is not supported.",
        commands: &["check"],
    },
    Variables {
        names: &["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"],
        text: "The proxy for requests, and the hosts that are contacted without it.",
        commands: AWS,
    },
    Variables {
        names: &["SSL_CERT_FILE", "SSL_CERT_DIR"],
        text: "A file or a directory with the trusted certificates. Default: those of the system.",
        commands: AWS,
    },
    Variables {
        names: &["TMPDIR"],
        text: "The directory of temporary files: an image from standard input or the Docker engine, and the results of \
               an audit without `--results`.",
        commands: &["check", "audit"],
    },
    Variables {
        names: &["PREFLIGHT_DECLARATION_KEY"],
        text: "The key of the resource tag and the label that declare runtimes. Default: `intended-runtime`.",
        commands: &["check", "audit", "consumers", "declare", "page", "replay"],
    },
    Variables {
        names: &["PREFLIGHT_DEFAULT_RUNTIME"],
        text: "The runtimes of images for which nothing is declared, separated by spaces.",
        commands: CHECKING,
    },
    Variables {
        names: &["PREFLIGHT_IMAGE_TAGS"],
        text: "`ignore`: image tags do not declare runtimes. Default: `read`.",
        commands: CHECKING,
    },
    Variables {
        names: &["PREFLIGHT_INSPECT"],
        text: "How far an image is read: `manifest`, `config` or `program`. Default: `program`.",
        commands: CHECKING,
    },
    Variables {
        names: &["PREFLIGHT_LIMITS"],
        text: "How much of an image is read, for example `seconds=60`.",
        commands: CHECKING,
    },
    Variables {
        names: &["PREFLIGHT_DOCS_URL"],
        text: "The page with the table of faults, to which messages, SARIF logs and the HTML page link.",
        commands: &["check", "audit", "page", "replay"],
    },
    Variables {
        names: &["PREFLIGHT_TOPIC_ARN"],
        text: "The SNS topic of messages, for `audit --notify`. `replay` sends nothing.",
        commands: &["audit", "replay"],
    },
    Variables {
        names: &["PREFLIGHT_VERDICT_TAGS"],
        text: "Which images get a verdict tag: `never`, `failures` or `all`. Default: `never`.",
        commands: &["replay"],
    },
    Variables {
        names: &["PREFLIGHT_EXCLUDED_REPOSITORIES"],
        text: "The beginnings of the names of repositories whose images are ignored.",
        commands: &["replay"],
    },
    Variables {
        names: &["PREFLIGHT_GATES", "PREFLIGHT_CONSUMERS", "PREFLIGHT_TABLE", "PREFLIGHT_STACK", "PREFLIGHT_LOG_LEVEL"],
        text: "Settings of the deployed functions only: what gates do, whether pushes are judged by what runs their images, \
               the table with it, a dimension of metrics, and the least severe log lines.",
        commands: &["replay"],
    },
    Variables {
        names: &["NO_COLOR"],
        text: "If it is set and not empty, no colors are used, unless `--color always` is given.",
        commands: &[],
    },
    Variables {
        names: &["CLICOLOR_FORCE"],
        text: "If it is set and not `0`, colors are used in files and pipes, too.",
        commands: &[],
    },
    Variables {
        names: &["COLUMNS"],
        text: "The width at which text is wrapped. Default: the width of the terminal; files and pipes are not wrapped.",
        commands: &[],
    },
];

/// The pages outside of this project that a command's page refers to.
const OTHER_PAGES: [(&str, &[&str]); 7] = [
    ("check", &["aws(1)", "docker(1)", "skopeo(1)"]),
    ("audit", &["aws(1)"]),
    ("consumers", &["aws(1)"]),
    ("declare", &["aws(1)"]),
    ("replay", &["aws(1)"]),
    ("binary", &["file(1)", "readelf(1)"]),
    ("man", &["man(1)"]),
];

/// Formats the section ENVIRONMENT of a command's page; of all commands for `None`.
pub(super) fn format_environment(command: Option<&str>) -> String {
    let is_read = |one: &&Variables| match command {
        Some(command) => one.commands.is_empty() || one.commands.contains(&command),
        None => true,
    };
    let format = |Variables { names, text, .. }: &Variables| {
        let names: Vec<String> = names.iter().map(|name| format_bold(name)).collect();
        format!(".TP\n{}\n{}", names.join(", "), format_prose(text))
    };
    let read = || VARIABLES.iter().filter(is_read);
    let mut page: String = std::iter::once(".SH ENVIRONMENT\n".to_owned()).chain(read().map(format)).collect();
    if read().any(|one| one.names[0].starts_with("PREFLIGHT_")) {
        page += ".PP\n";
        page += &format_prose(
            "An unknown variable that begins with `PREFLIGHT_` is an error, because it is probably a typo.",
        );
    }
    page
}

/// Formats the section SEE ALSO of a command's page. `pages` are the names of all pages.
pub(super) fn format_see_also(command: Option<&str>, page_name: &str, pages: &[String]) -> String {
    let own = pages.iter().filter(|name| *name != page_name).map(|name| format!("{name}(1)"));
    let others = OTHER_PAGES.iter().filter(|(name, _)| command.is_none_or(|command| command == *name));
    let mut names: Vec<String> = others.flat_map(|(_, pages)| *pages).map(|name| (*name).to_owned()).collect();
    names.sort();
    names.dedup();
    let listed: Vec<String> = own
        .chain(names)
        .map(|page| {
            let (name, section) = page.split_once('(').unwrap_or((&page, ""));
            format!(".BR {} ({section}", escape(name))
        })
        .collect();
    // Empty while the repository is not published.
    let documentation = match env!("CARGO_PKG_REPOSITORY") {
        "" => String::new(),
        url => format!(".PP\n{}", format_prose(&format!("Documentation: {url}"))),
    };
    // No hyphenation, which would break the names of pages.
    format!(".SH \"SEE ALSO\"\n.nh\n{}\n{documentation}", listed.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_a_page() {
        let names: Vec<&str> = VARIABLES.iter().flat_map(|one| one.names).copied().collect();
        for setting in &crate::settings::VARIABLES {
            assert!(names.contains(&setting.name), "{} is missing", setting.name);
        }
    }
}
