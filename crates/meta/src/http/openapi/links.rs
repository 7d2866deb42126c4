//! What follows from an answer (links, OpenAPI 3.1 section 4.8.20): what was made can be shown, changed,
//! followed and taken away, by the id in the answer. For readers, and for programs that walk the API.
//! `links.json` has them; a test follows each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::Response;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;

/// After these operations these can follow, with parameters from the answer.
#[derive(Deserialize)]
pub(super) struct Rule {
    after: Vec<String>,
    follows: Vec<String>,
    parameters: BTreeMap<String, Value>,
}

/// All of them.
pub(super) fn rules() -> Vec<Rule> {
    serde_json::from_str(include_str!("links.json")).unwrap_or_default()
}

/// Adds to the answers of an operation what can follow.
pub(super) fn add(operation: &mut Operation, rules: &[Rule]) {
    let Some(id) = operation.operation_id.clone() else { return };
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let bodies = bodies(response);
        // A dry run has made nothing that anything could follow on.
        let made = bodies.iter().any(|body| body != "PlanView") || id == "plan_create";
        if !status.starts_with('2') || !made {
            continue;
        }
        let accepted = bodies.iter().any(|body| body.ends_with("Accepted"));
        for rule in rules.iter().filter(|rule| rule.after.contains(&id)) {
            let of_accepted = ["$response.body#/tenant/uid", "$response.body#/operation/id"];
            if !accepted
                && rule.parameters.values().any(|from| of_accepted.iter().any(|it| from == it))
            {
                continue;
            }
            for target in &rule.follows {
                let mut link = Link::default();
                target.clone_into(&mut link.operation_id);
                link.parameters = rule.parameters.clone();
                response.links.insert(target.clone(), RefOr::T(link));
            }
        }
    }
}

/// Names of the schemas that an answer's body may have.
fn bodies(response: &Response) -> Vec<String> {
    let mut names = Vec::new();
    let mut take = |schema: &RefOr<Schema>| {
        if let RefOr::Ref(reference) = schema {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            names.push(name.to_owned());
        }
    };
    for content in response.content.values() {
        let RefOr::T(content) = content else { continue };
        match &content.schema {
            Some(RefOr::T(Schema::AnyOf(either))) => either.items.iter().for_each(&mut take),
            Some(schema) => take(schema),
            None => {}
        }
    }
    names
}
