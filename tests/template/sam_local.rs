//! The function as `sam local invoke` starts it: SAM CLI reads a parameter as its default, and a
//! resource as its logical id.

use std::collections::BTreeMap;

use ecs_reloader::settings::Settings;
use serde_json::{Map, Value};

use crate::cloudformation::{Stack, read, template};
use crate::function;

const FILE: &str = "demo/sam-local.json";

/// The variables as SAM CLI resolves them, with those of a file in their place.
fn variables(overridden: &Map<String, Value>) -> BTreeMap<String, String> {
    let template = template();
    let pointer = "/Environment/Variables";
    let written = function(&template).pointer(pointer).unwrap();
    let is_resource = |name: &str| template["Resources"].get(name).is_some();
    let resolved = Stack::with(&[]).properties("Reloader");
    let resolved = resolved.pointer(pointer).unwrap().as_object().unwrap();
    let resolve = |(name, value): (&String, &Value)| {
        let logical_id = written[name]["Ref"].as_str().filter(|id| is_resource(id));
        let value = match (overridden.get(name), logical_id) {
            (Some(value), _) => value.as_str().unwrap(),
            (None, Some(logical_id)) => logical_id,
            (None, None) => return (name.clone(), value.to_string().replace('"', "")),
        };
        (name.clone(), value.to_owned())
    };
    resolved.iter().map(resolve).collect()
}

fn settings(overridden: &Map<String, Value>) -> Result<Settings, String> {
    let variables = variables(overridden);
    let variables: BTreeMap<_, _> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Settings::load(&variables).map_err(|error| error.to_string())
}

#[test]
fn sam_local_starts_the_function_with_the_file_that_is_shown_and_only_with_it() {
    let file: Value = serde_json::from_str(&read(FILE)).unwrap();
    let [(function, overridden)] = file.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
        panic!("{FILE} is about one function");
    };
    let overridden = overridden.as_object().unwrap();
    let known = variables(&Map::new());
    assert_eq!(function, "Reloader");
    assert!(overridden.keys().all(|name| known.contains_key(name)));

    let with_it = settings(overridden).unwrap();
    assert_eq!((with_it.queue_url, with_it.notify_only), (None, true));

    let without = settings(&Map::new()).unwrap_err();
    assert!(
        without.contains("RELOADER_QUEUE_URL=\"Queue\"") && !without.contains(';'),
        "{without}"
    );
}
