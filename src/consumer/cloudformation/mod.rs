//! The consumers in a resource of AWS `CloudFormation`: its proposed properties, as a hook gets them.
//!
//! Values that `CloudFormation` has not resolved make that one image or start unknown. Malformed properties become notes. So
//! there are no errors: what cannot be read cannot be judged, and stops nothing.

mod property;
mod container;
mod collector;
mod task_definition;
mod job_definition;
mod lambda_function;
mod app_runner;
mod agent_runtime;

use serde_json::Value;

pub use self::collector::ResourceConsumers;

use self::collector::Collector;

/// Reads the consumers of a resource.
type ResourceReader = fn(&Value, &mut Collector);

/// The types of resources that run images.
const RESOURCE_TYPES: [(&str, ResourceReader); 5] = [
    ("AWS::ECS::TaskDefinition", task_definition::collect),
    ("AWS::Lambda::Function", lambda_function::collect),
    ("AWS::AppRunner::Service", app_runner::collect),
    ("AWS::Batch::JobDefinition", job_definition::collect),
    ("AWS::BedrockAgentCore::Runtime", agent_runtime::collect),
];

/// Returns the types of resources that run images.
pub fn resource_types() -> impl Iterator<Item = &'static str> {
    RESOURCE_TYPES.iter().map(|(name, _)| *name)
}

/// Reads the consumers in a resource of this type. `logical_id` is its name in the template, for a resource without a name
/// of its own. Returns `None` for a type that runs no images.
pub fn parse_resource(resource_type: &str, logical_id: &str, properties: &Value) -> Option<ResourceConsumers> {
    let (_, collect) = RESOURCE_TYPES.iter().find(|(name, _)| *name == resource_type)?;
    let mut collector = Collector::new(logical_id);
    if properties.is_object() {
        collect(properties, &mut collector);
    } else {
        collector.add_note("its properties are not an object".to_owned());
    }
    Some(collector.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_types_and_malformed_properties_have_no_consumers() {
        assert_eq!(parse_resource("AWS::S3::Bucket", "Bucket", &json!({})), None);
        for name in resource_types() {
            for properties in [json!(null), json!([]), json!("text"), json!({}), json!({"ContainerDefinitions": 7})] {
                let found = parse_resource(name, "Resource", &properties).unwrap();
                assert_eq!(found.consumers, [], "{name} {properties}");
            }
        }
    }
}
