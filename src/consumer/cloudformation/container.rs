//! A container of a task definition or a job definition in a template: the same fields as in the APIs, whose names begin
//! with capital letters, and whose values may be unresolved.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::property::{Property, UnresolvedProperty, read_list, read_text, read_texts};
use crate::consumer::container_definition::{ContainerDefinition, is_startup_variable};
use crate::consumer::environment_effects::EnvironmentEffects;
use crate::consumer::start_override::StartOverride;

/// A container, as far as it is resolved.
pub(super) struct ReadContainer {
    pub(super) name: String,
    pub(super) image: Property<String>,
    pub(super) start: StartOverride,
}

/// Reads one property of a container into a value of the API; `None` if it is missing.
type FieldReader = fn(&Value) -> Result<Option<Value>, UnresolvedProperty>;

/// The properties that change what starts, the same in the API, and how they are read.
const FIELDS: [(&str, &str, FieldReader); 10] = [
    ("EntryPoint", "entryPoint", |value| Ok(read_texts(value).resolved()?.map(Value::from))),
    ("Command", "command", |value| Ok(read_texts(value).resolved()?.map(Value::from))),
    ("WorkingDirectory", "workingDirectory", |value| Ok(read_text(value).resolved()?.map(Value::from))),
    ("User", "user", |value| Ok(read_text(value).resolved()?.map(Value::from))),
    ("Environment", "environment", read_variables),
    ("Secrets", "secrets", read_variables),
    ("EnvironmentFiles", "environmentFiles", |value| Ok(read_list(value).resolved()?.map(Value::from))),
    ("VolumesFrom", "volumesFrom", |value| Ok(read_list(value).resolved()?.map(Value::from))),
    ("MountPoints", "mountPoints", read_mounts),
    ("ResourceRequirements", "resourceRequirements", read_requirements),
];

/// Reads a container. A property that is not resolved makes the start unknown.
pub(super) fn read_container(container: &Value) -> ReadContainer {
    let name = read_text(&container["Name"]).known().unwrap_or_default();
    let image = read_text(&container["Image"]);
    let mut fields = Map::from_iter([("image".to_owned(), json!(""))]);
    let mut unresolved = None;
    for (property, field, read) in FIELDS {
        match read(&container[property]) {
            Ok(Some(value)) => drop(fields.insert(field.to_owned(), value)),
            Ok(None) => {}
            Err(UnresolvedProperty) => unresolved = unresolved.or(Some(property)),
        }
    }
    let mut start = match ContainerDefinition::deserialize(Value::Object(fields)) {
        Ok(definition) => definition.into_start(),
        Err(_) => StartOverride { unknown: Some("its definition is malformed".to_owned()), ..StartOverride::default() },
    };
    if let Some(property) = unresolved {
        start.unknown.get_or_insert_with(|| format!("{property} in its definition is not resolved yet"));
    }
    ReadContainer { name, image, start }
}

/// Reads the names of variables, and the value of `PATH`. Other values may be secrets, and are not kept.
fn read_variables(value: &Value) -> Result<Option<Value>, UnresolvedProperty> {
    let Some(variables) = read_list(value).resolved()? else { return Ok(None) };
    let read = |variable: &Value| {
        let name = read_text(&variable["Name"]).resolved()?.ok_or(UnresolvedProperty)?;
        let value =
            if name == "PATH" || is_startup_variable(&name) { read_text(&variable["Value"]).resolved()? } else { None };
        Ok(json!({"name": name, "value": value}))
    };
    variables.iter().map(read).collect::<Result<Vec<_>, _>>().map(|variables| Some(variables.into()))
}

fn read_mounts(value: &Value) -> Result<Option<Value>, UnresolvedProperty> {
    let Some(mounts) = read_list(value).resolved()? else { return Ok(None) };
    let read = |mount: &Value| Ok(json!({"containerPath": read_text(&mount["ContainerPath"]).resolved()?}));
    mounts.iter().map(read).collect::<Result<Vec<_>, _>>().map(|mounts| Some(mounts.into()))
}

fn read_requirements(value: &Value) -> Result<Option<Value>, UnresolvedProperty> {
    let Some(requirements) = read_list(value).resolved()? else { return Ok(None) };
    let read = |requirement: &Value| Ok(json!({"type": read_text(&requirement["Type"]).resolved()?}));
    requirements.iter().map(read).collect::<Result<Vec<_>, _>>().map(|requirements| Some(requirements.into()))
}

/// Lists the variables of an object, each with its value if that is resolved.
pub(super) fn list_variables(variables: &Value) -> impl Iterator<Item = (&str, Property<String>)> {
    variables.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), read_text(value)))
}

/// Returns why a variable of a service makes the start unknown, if one of these does. How the services other than Amazon
/// ECS look for a program along a `PATH` of the definition is not documented.
pub(super) fn describe_variables<'a>(
    variables: impl IntoIterator<Item = (&'a str, Property<String>)>,
) -> Option<String> {
    let matters = |(name, value): (&str, Property<String>)| match value {
        _ if name == "PATH" => true,
        Property::Known(value) => !EnvironmentEffects::of(name, &value).is_none(),
        Property::Missing | Property::Unresolved => is_startup_variable(name),
    };
    let reason = "its definition sets PATH, or a variable that may run other code first";
    variables.into_iter().any(matters).then(|| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unresolved_properties_make_only_the_start_unknown() {
        let known = json!({"Name": "app", "Image": "a", "EntryPoint": ["/e"], "Command": ["c", 1], "User": 1000,
            "WorkingDirectory": "/w", "Environment": [{"Name": "TOKEN", "Value": {"Ref": "T"}}, {"Name": "PATH", "Value": "/p"}],
            "MountPoints": [{"ContainerPath": "/data", "SourceVolume": "data"}], "Secrets": [{"Name": "S", "ValueFrom": "arn"}],
            "VolumesFrom": [], "EnvironmentFiles": null});
        let ReadContainer { name, image, start } = read_container(&known);
        assert_eq!((name.as_str(), image), ("app", Property::Known("a".to_owned())));
        let expected = StartOverride {
            entrypoint: vec!["/e".to_owned()],
            command: vec!["c".to_owned(), "1".to_owned()],
            working_directory: Some("/w".to_owned()),
            user: Some("1000".to_owned()),
            path: Some("/p".to_owned()),
            mounts: vec!["/data".to_owned()],
            ..StartOverride::default()
        };
        assert_eq!(start, expected);
        for (property, value) in [
            ("EntryPoint", json!({"Ref": "E"})),
            ("Command", json!(["a", {"Ref": "E"}])),
            ("Command", json!("text")),
            ("WorkingDirectory", json!("{{resolve:ssm:/w}}")),
            ("User", json!({})),
            ("Environment", json!([{"Name": "PATH", "Value": {"Ref": "P"}}])),
            ("Environment", json!([{"Name": {"Ref": "P"}, "Value": "x"}])),
            ("Environment", json!({"Fn::If": []})),
            ("Secrets", json!([7])),
            ("EnvironmentFiles", json!({"Ref": "F"})),
            ("EnvironmentFiles", json!([{"Type": "s3"}])),
            ("VolumesFrom", json!([{"SourceContainer": "data"}])),
            ("MountPoints", json!([{"ContainerPath": {"Ref": "P"}}])),
        ] {
            let mut container = known.clone();
            container[property] = value.clone();
            let read = read_container(&container);
            assert!(read.start.unknown.is_some(), "{property} {value}");
            assert_eq!(read.image, Property::Known("a".to_owned()));
        }
    }
}
