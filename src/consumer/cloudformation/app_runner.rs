//! `AWS::AppRunner::Service`, if its source is an image.

use serde_json::Value;

use super::collector::Collector;
use super::container::describe_variables;
use super::property::{is_intrinsic, read_list, read_text};
use crate::consumer::consumer_platform::{ConsumerPlatform, PlatformSource};
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::start_override::StartOverride;
use crate::runtime::Runtime;

pub(super) fn collect(properties: &Value, collector: &mut Collector) {
    let repository = &properties["SourceConfiguration"]["ImageRepository"];
    if repository.is_null() {
        return;
    }
    let definition = collector.name_definition(&properties["ServiceName"]);
    let platform = ConsumerPlatform::Known(Runtime::AppRunner, PlatformSource::Service);
    let (image, start) = (&repository["ImageIdentifier"], read_start(&repository["ImageConfiguration"]));
    collector.add(ConsumerService::AppRunner, definition, image, platform, start);
}

/// Reads `ImageConfiguration`. Its start command is one string; how App Runner splits it is not documented.
fn read_start(configuration: &Value) -> StartOverride {
    let lists = ["RuntimeEnvironmentVariables", "RuntimeEnvironmentSecrets"].map(|name| &configuration[name]);
    let is_unresolved = is_intrinsic(configuration) || lists.iter().any(|list| read_list(list).resolved().is_err());
    let variables = lists.iter().filter_map(|list| list.as_array()).flatten();
    let unknown = if !configuration["StartCommand"].is_null() {
        Some("how App Runner parses its start command is not documented".to_owned())
    } else if is_unresolved {
        Some("its image configuration is not resolved yet".to_owned())
    } else {
        describe_variables(
            variables.filter_map(|variable| Some((variable["Name"].as_str()?, read_text(&variable["Value"])))),
        )
    };
    StartOverride { unknown, ..StartOverride::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::parse_resource;

    #[test]
    fn start_commands_make_the_start_unknown() {
        for (configuration, is_unknown) in [
            (json!(null), false),
            (json!({"Port": "80", "RuntimeEnvironmentVariables": [{"Name": "A", "Value": "b"}]}), false),
            (json!({"StartCommand": "python app.py"}), true),
            (json!({"StartCommand": {"Ref": "C"}}), true),
            (json!({"RuntimeEnvironmentVariables": [{"Name": "PATH", "Value": "/bin"}]}), true),
            (json!({"RuntimeEnvironmentSecrets": [{"Name": "LD_PRELOAD", "Value": "arn"}]}), true),
            (json!({"RuntimeEnvironmentVariables": {"Ref": "V"}}), true),
            (json!({"Ref": "Configuration"}), true),
        ] {
            let repository = json!({"ImageIdentifier": "team/app:v1", "ImageRepositoryType": "ECR",
                "ImageConfiguration": configuration});
            let properties = json!({"ServiceName": "web", "SourceConfiguration": {"ImageRepository": repository}});
            let consumer = parse_resource("AWS::AppRunner::Service", "S", &properties).unwrap().consumers.remove(0);
            assert_eq!((consumer.definition.as_str(), consumer.image.as_str()), ("web", "team/app:v1"));
            assert_eq!(consumer.runtime(), Some(Runtime::AppRunner));
            assert_eq!(consumer.start.unknown.is_some(), is_unknown, "{configuration}");
        }
    }

    #[test]
    fn services_from_source_code_are_no_consumers() {
        let properties = json!({"SourceConfiguration": {"CodeRepository": {"RepositoryUrl": "https://example.com"}}});
        let found = parse_resource("AWS::AppRunner::Service", "S", &properties).unwrap();
        assert_eq!((found.consumers, found.notes), (vec![], vec![]));
    }
}
