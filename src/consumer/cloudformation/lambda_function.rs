//! `AWS::Lambda::Function`, if its package is an image.

use serde_json::Value;

use super::collector::Collector;
use super::container::{describe_variables, list_variables};
use super::property::{Property, UnresolvedProperty, is_intrinsic, read_list, read_text, read_texts};
use super::task_definition::UNRESOLVED_PLATFORM;
use crate::consumer::consumer_platform::{ConsumerPlatform, PlatformSource};
use crate::consumer::consumer_service::ConsumerService;
use crate::consumer::start_override::StartOverride;
use crate::runtime::Runtime;

pub(super) fn collect(properties: &Value, collector: &mut Collector) {
    let image = &properties["Code"]["ImageUri"];
    let is_image = !image.is_null() || properties["PackageType"] == "Image";
    if !is_image || is_intrinsic(&properties["Code"]) {
        return;
    }
    let definition = collector.name_definition(&properties["FunctionName"]);
    let platform = determine_platform(&properties["Architectures"]);
    collector.add(ConsumerService::Lambda, definition, image, platform, read_start(properties));
}

fn determine_platform(architectures: &Value) -> ConsumerPlatform {
    let architectures = match read_texts(architectures) {
        Property::Missing => Vec::new(),
        Property::Known(architectures) => architectures,
        Property::Unresolved => return UNRESOLVED_PLATFORM,
    };
    match architectures.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => ConsumerPlatform::Known(Runtime::LambdaAmd64, PlatformSource::LambdaDefault),
        ["x86_64"] => ConsumerPlatform::Known(Runtime::LambdaAmd64, PlatformSource::Architectures),
        ["arm64"] => ConsumerPlatform::Known(Runtime::LambdaArm64, PlatformSource::Architectures),
        _ => ConsumerPlatform::unknown("its architectures are neither x86_64 nor arm64"),
    }
}

/// Reads `ImageConfig`, whose values "override the container image Dockerfile settings", each by itself ("`ImageConfig`" in
/// the AWS Lambda API reference).
fn read_start(properties: &Value) -> StartOverride {
    let config = &properties["ImageConfig"];
    let variables = &properties["Environment"]["Variables"];
    let (entrypoint, command) = (read_texts(&config["EntryPoint"]), read_texts(&config["Command"]));
    let directory = read_text(&config["WorkingDirectory"]);
    let is_unresolved = [&entrypoint, &command].contains(&&Property::Unresolved)
        || directory == Property::Unresolved
        || [config, variables, &properties["Environment"]].iter().any(|value| is_intrinsic(value));
    let mounts = read_mounts(&properties["FileSystemConfigs"]);
    StartOverride {
        entrypoint: entrypoint.known().unwrap_or_default(),
        command: command.known().unwrap_or_default(),
        working_directory: directory.known().filter(|directory| !directory.is_empty()),
        mounts: mounts.clone().unwrap_or_default(),
        is_command_ambiguous: true,
        unknown: is_unresolved
            .then(|| "its image configuration is not resolved yet".to_owned())
            .or_else(|| mounts.is_err().then(|| "its file systems are not resolved yet".to_owned()))
            .or_else(|| describe_variables(list_variables(variables))),
        ..StartOverride::default()
    }
}

/// Reads where file systems are mounted.
fn read_mounts(file_systems: &Value) -> Result<Vec<String>, UnresolvedProperty> {
    let file_systems = read_list(file_systems).resolved()?.unwrap_or_default();
    let read = |system: &Value| read_text(&system["LocalMountPath"]).resolved()?.ok_or(UnresolvedProperty);
    file_systems.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::{Consumer, parse_resource};

    fn read(properties: &Value) -> Option<Consumer> {
        parse_resource("AWS::Lambda::Function", "Function", properties).unwrap().consumers.pop()
    }

    #[test]
    fn file_systems_that_are_not_resolved_may_hold_the_program() {
        let function = |file_systems: Value| {
            json!({"FunctionName": "f", "PackageType": "Image", "Code": {"ImageUri": "team/f:v1"},
                "FileSystemConfigs": file_systems})
        };
        for file_systems in [
            json!({"Ref": "X"}),
            json!([{"Ref": "X"}]),
            json!([{"LocalMountPath": {"Fn::Sub": "/mnt/${X}"}}]),
            json!([{"LocalMountPath": "{{resolve:ssm:/m}}"}]),
        ] {
            assert!(read(&function(file_systems.clone())).unwrap().start.unknown.is_some(), "{file_systems}");
        }
        let start = read(&function(json!([{"LocalMountPath": "/mnt/data"}]))).unwrap().start;
        assert_eq!((start.mounts, start.unknown), (vec!["/mnt/data".to_owned()], None));
    }

    #[test]
    fn ordinary_variables_do_not_matter() {
        for (variables, is_unknown) in [
            (json!({"ENV": "production", "NODE_OPTIONS": "--enable-source-maps", "TOKEN": {"Ref": "T"}}), false),
            (json!({"ENV": {"Ref": "E"}}), true),
            (json!({"PATH": "/bin"}), true),
            (json!({"LD_PRELOAD": "/x.so"}), true),
        ] {
            let function = json!({"FunctionName": "f", "Code": {"ImageUri": "team/f:v1"},
                "Environment": {"Variables": variables}});
            assert_eq!(read(&function).unwrap().start.unknown.is_some(), is_unknown, "{function}");
        }
    }

    #[test]
    fn architecture_is_that_of_the_function() {
        for (architectures, expected) in [
            (json!(null), Some((Runtime::LambdaAmd64, PlatformSource::LambdaDefault))),
            (json!(["x86_64"]), Some((Runtime::LambdaAmd64, PlatformSource::Architectures))),
            (json!(["arm64"]), Some((Runtime::LambdaArm64, PlatformSource::Architectures))),
            (json!(["riscv"]), None),
            (json!([{"Ref": "A"}]), None),
            (json!("arm64"), None),
        ] {
            let properties = json!({"FunctionName": "f", "PackageType": "Image", "Code": {"ImageUri": "team/f:v1"},
                "Architectures": architectures});
            let consumer = read(&properties).unwrap();
            assert_eq!((consumer.definition.as_str(), consumer.image.as_str()), ("f", "team/f:v1"));
            let found = match consumer.platform {
                ConsumerPlatform::Known(runtime, source) => Some((runtime, source)),
                _ => None,
            };
            assert_eq!(found, expected, "{architectures}");
        }
    }

    #[test]
    fn only_functions_with_an_image_are_consumers() {
        for code in [json!({"S3Bucket": "b", "S3Key": "k"}), json!({"ZipFile": "x"}), json!({"Ref": "Code"})] {
            assert_eq!(read(&json!({"Code": code, "Runtime": "python3.13"})), None, "{code}");
        }
        let properties = json!({"Code": {"ImageUri": {"Fn::Sub": "x"}}});
        let found = parse_resource("AWS::Lambda::Function", "Function", &properties).unwrap();
        assert_eq!((found.consumers, found.notes), (vec![], vec!["its image is not resolved yet".to_owned()]));
    }

    #[test]
    fn image_configuration_changes_the_start() {
        let start = |config: Value, variables: Value| {
            let properties = json!({"Code": {"ImageUri": "a"}, "ImageConfig": config,
                "Environment": {"Variables": variables}, "FileSystemConfigs": [{"LocalMountPath": "/mnt/data"}]});
            read(&properties).unwrap().start
        };
        let found = start(json!({"EntryPoint": ["/e"], "Command": ["c"], "WorkingDirectory": "/w"}), json!({"A": "b"}));
        let words = |text: &str| vec![text.to_owned()];
        let expected = StartOverride {
            entrypoint: words("/e"),
            command: words("c"),
            working_directory: Some("/w".to_owned()),
            mounts: words("/mnt/data"),
            is_command_ambiguous: true,
            ..StartOverride::default()
        };
        assert_eq!(found, expected);
        for (config, variables) in [
            (json!({"Command": {"Ref": "C"}}), json!({})),
            (json!({"Ref": "C"}), json!({})),
            (json!({}), json!({"PATH": "/opt/bin"})),
            (json!({}), json!({"LD_PRELOAD": "/opt/x.so"})),
            (json!({}), json!({"Fn::If": ["A", {}, {}]})),
        ] {
            assert!(start(config.clone(), variables.clone()).unknown.is_some(), "{config} {variables}");
        }
    }
}
