//! The remedy that keeps the image: to run it on its own architecture.

use crate::consumer::{Consumer, ConsumerPlatform, ConsumerService, PlatformSource};
use crate::intent::DeclarationSource;
use crate::platform::Platform;
use crate::report::model::{FaultCase, Remedy};
use crate::runtime::{Runtime, Service};
use crate::verdict::WrongSide;

impl FaultCase<'_> {
    /// Suggests running an image on its own architecture, if all services for which it is intended support it.
    pub(super) fn change_runtime_remedy(&self, runtime: Runtime) -> Option<Remedy> {
        let architecture = self.own_architecture()?;
        let change = |runtime: Runtime| Runtime::for_service(runtime.profile().service, architecture);
        if self.case.judgement.runtimes().into_iter().any(|runtime| change(runtime).is_none()) {
            return None;
        }
        let find = |wanted| self.case.judgement.intended.iter().find(|declared| declared.runtime == wanted);
        let other = change(runtime).filter(|other| find(*other).is_none())?;
        let (change, command) = match self.case.context.consumer {
            Some(consumer) => change_consumer(consumer, architecture)?,
            None => self.change_service(runtime.profile().service, architecture)?,
        };
        let declare = match find(runtime).map(|declared| declared.declared_by) {
            Some(DeclarationSource::ImageTag) => {
                format!(": push it under a tag with {}", other.profile().name.replace('/', "-"))
            }
            Some(DeclarationSource::Label) => format!(": label it {other}"),
            Some(DeclarationSource::RepositoryTag | DeclarationSource::Default) => {
                format!(": declare {other} for the repository")
            }
            Some(DeclarationSource::CommandLine | DeclarationSource::Consumer) | None => String::new(),
        };
        let advice = match self.wrong_side() {
            Some(WrongSide::Consumer) => format!("Keep the image, and {change}"),
            _ => format!("Or keep the image{declare}, and {change}"),
        };
        Some(Remedy::with_command(advice, command))
    }

    /// Returns the architecture that the image has: that of the fault or, for an index that lacks the runtime's, its only
    /// one.
    fn own_architecture(&self) -> Option<&str> {
        let platform = if let Some(platform) = &self.fault.platform {
            Some(platform).filter(|platform| platform.os() == "linux")
        } else {
            let platforms = self.case.image.filter(|_| self.case.context.consumer.is_some())?.platforms();
            let mut linux = platforms.into_iter().filter(|platform| platform.is_known() && platform.os() == "linux");
            linux.next().filter(|_| linux.next().is_none())
        };
        platform.map(Platform::architecture)
    }

    /// Returns what to change in a service that runs the image, and how.
    fn change_service(&self, service: Service, architecture: &str) -> Option<(&'static str, String)> {
        match service {
            Service::Ecs => Some(("set in the task definition", runtime_platform(architecture))),
            Service::Lambda => {
                let (uri, name) = (self.case.context.image_uri(), aws_name(architecture).to_lowercase());
                let command = format!(
                    "aws lambda update-function-code --function-name NAME --image-uri {uri} --architectures {name}"
                );
                Some(("change the function's architecture", command))
            }
            Service::AppRunner | Service::AgentCore | Service::Linux => None,
        }
    }
}

/// Returns what to change in the definition of a consumer, and the new value. The consumer may come from a file or a
/// template, so the value is what the definition has to contain.
fn change_consumer(consumer: &Consumer, architecture: &str) -> Option<(&'static str, String)> {
    let constraint = format!("attribute:ecs.cpu-architecture == {}", aws_name(architecture).to_lowercase());
    match (consumer.service, &consumer.platform) {
        (_, ConsumerPlatform::Known(_, PlatformSource::PlacementConstraint)) => {
            Some(("change the placement constraint of the task definition", constraint))
        }
        (ConsumerService::Ecs, _) => Some(("set in the task definition", runtime_platform(architecture))),
        (ConsumerService::Batch, _) => Some(("set in the job definition", runtime_platform(architecture))),
        (ConsumerService::Lambda, _) => {
            Some(("set the function's architectures", format!(r#"["{}"]"#, aws_name(architecture).to_lowercase())))
        }
        (ConsumerService::AppRunner | ConsumerService::AgentCore, _) => None,
    }
}

/// The architecture as task definitions name it.
fn aws_name(architecture: &str) -> &'static str {
    if architecture == "amd64" { "X86_64" } else { "ARM64" }
}

/// The member of a task definition.
fn runtime_platform(architecture: &str) -> String {
    let name = aws_name(architecture);
    format!(r#""runtimePlatform": {{"cpuArchitecture": "{name}", "operatingSystemFamily": "LINUX"}}"#)
}
