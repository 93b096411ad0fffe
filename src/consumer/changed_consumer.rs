//! What an event announces as changed: a service or function, by its ARN. Everything else is read from AWS.

/// The longest ARN that is accepted, in bytes. The longest of these services has 1011 (`ServiceArn` in the AWS App Runner API
/// reference).
const MAX_ARN: usize = 1011;

/// A service or function that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedConsumer {
    arn: String,
    resource: ChangedResource,
}

/// What has changed. Other services do not announce changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedResource {
    /// A service of Amazon ECS.
    EcsService {
        /// The ARN of its cluster. The old format of ARNs does not have it ("Amazon Resource Names (ARNs) and IDs" in the
        /// Amazon ECS developer guide).
        cluster: Option<String>,
    },
    /// A function of AWS Lambda.
    Function,
    /// A service of AWS App Runner.
    AppRunnerService,
}

impl ChangedConsumer {
    /// Parses the ARN of a service or function. The ARN of a version or alias gives that of its function. Returns `None` for
    /// any other text.
    pub fn parse(arn: &str) -> Option<Self> {
        let is_of_arn = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/:$".contains(&byte);
        if arn.len() > MAX_ARN || !arn.bytes().all(is_of_arn) {
            return None;
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, path] = parts[..] else { return None };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !partition.starts_with("aws") || region.is_empty() || !is_account {
            return None;
        }
        let prefix = format!("arn:{partition}:{service}:{region}:{account}");
        let names: Vec<&str> = path.split(['/', ':']).collect();
        if names.iter().any(|name| name.is_empty()) {
            return None;
        }
        let (arn, resource) = match (service, path.contains(':'), &names[..]) {
            ("ecs", false, ["service", _]) => (arn.to_owned(), ChangedResource::EcsService { cluster: None }),
            ("ecs", false, ["service", cluster, _]) => {
                (arn.to_owned(), ChangedResource::EcsService { cluster: Some(format!("{prefix}:cluster/{cluster}")) })
            }
            ("apprunner", false, ["service", _, _]) => (arn.to_owned(), ChangedResource::AppRunnerService),
            ("lambda", true, ["function", name] | ["function", name, _]) if !path.contains('/') => {
                (format!("{prefix}:function:{name}"), ChangedResource::Function)
            }
            _ => return None,
        };
        Some(Self { arn, resource })
    }

    /// Returns its ARN, without a version or alias.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Returns whether it is a service of Amazon ECS whose cluster is unknown, so that it cannot be read.
    pub fn is_without_cluster(&self) -> bool {
        self.resource == ChangedResource::EcsService { cluster: None }
    }

    /// Returns what it is.
    pub fn resource(&self) -> &ChangedResource {
        &self.resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_services_and_functions_are_recognized() {
        let ecs = |cluster: Option<&str>| ChangedResource::EcsService { cluster: cluster.map(str::to_owned) };
        for (arn, expected, resource) in [
            (
                "arn:aws:ecs:us-west-2:123456789012:service/prod/web",
                "arn:aws:ecs:us-west-2:123456789012:service/prod/web",
                ecs(Some("arn:aws:ecs:us-west-2:123456789012:cluster/prod")),
            ),
            (
                "arn:aws-cn:ecs:cn-north-1:123456789012:service/prod/web_1",
                "arn:aws-cn:ecs:cn-north-1:123456789012:service/prod/web_1",
                ecs(Some("arn:aws-cn:ecs:cn-north-1:123456789012:cluster/prod")),
            ),
            (
                "arn:aws:ecs:us-west-2:123456789012:service/web",
                "arn:aws:ecs:us-west-2:123456789012:service/web",
                ecs(None),
            ),
            (
                "arn:aws:apprunner:us-west-2:123456789012:service/site/8fe1e10304f84fd2b0df550fe98a71fa",
                "arn:aws:apprunner:us-west-2:123456789012:service/site/8fe1e10304f84fd2b0df550fe98a71fa",
                ChangedResource::AppRunnerService,
            ),
            (
                "arn:aws:lambda:us-west-2:123456789012:function:resize",
                "arn:aws:lambda:us-west-2:123456789012:function:resize",
                ChangedResource::Function,
            ),
            (
                "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:resize:$LATEST",
                "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:resize",
                ChangedResource::Function,
            ),
            (
                "arn:aws:lambda:us-west-2:123456789012:function:resize:live",
                "arn:aws:lambda:us-west-2:123456789012:function:resize",
                ChangedResource::Function,
            ),
        ] {
            let changed = ChangedConsumer::parse(arn);
            assert_eq!(changed, Some(ChangedConsumer { arn: expected.to_owned(), resource }), "{arn}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("arn:aws:lambda:us-west-2:123456789012:function:{}", "x".repeat(MAX_ARN));
        for arn in [
            "",
            "web",
            "service/prod/web",
            "arn:aws:ecs:us-west-2:123456789012:service",
            "arn:aws:ecs:us-west-2:123456789012:service/",
            "arn:aws:ecs:us-west-2:123456789012:service//web",
            "arn:aws:ecs:us-west-2:123456789012:service/a/b/c",
            "arn:aws:ecs:us-west-2:123456789012:service:web",
            "arn:aws:ecs:us-west-2:123456789012:task/prod/0123",
            "arn:aws:ecs:us-west-2:123456789012:cluster/prod",
            "arn:aws:ecs:us-west-2:12345678901:service/prod/web",
            "arn:aws:ecs::123456789012:service/prod/web",
            "arn:other:ecs:us-west-2:123456789012:service/prod/web",
            "arn:aws:ecs:us-west-2:123456789012:service/prod/web\n",
            "arn:aws:ecs:us-west-2:123456789012:service/prod/web?x",
            "arn:aws:apprunner:us-west-2:123456789012:service/site",
            "arn:aws:apprunner:us-west-2:123456789012:connection/site/1",
            "arn:aws:lambda:us-west-2:123456789012:function/resize",
            "arn:aws:lambda:us-west-2:123456789012:function:",
            "arn:aws:lambda:us-west-2:123456789012:function:a:b:c",
            "arn:aws:lambda:us-west-2:123456789012:function:a/b",
            "arn:aws:lambda:us-west-2:123456789012:layer:a:1",
            "arn:aws:batch:us-west-2:123456789012:job-definition/job:1",
            &long,
        ] {
            assert_eq!(ChangedConsumer::parse(arn), None, "{arn}");
        }
    }
}
