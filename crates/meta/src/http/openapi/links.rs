//! What follows from an answer (links, OpenAPI 3.1 section 4.8.20): what was made can be shown, changed,
//! followed and taken away, by the id in the answer. For readers, and for programs that walk the API.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::Response;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;

/// Where the id of what an answer is about stands.
const SITE: &[(&str, &str)] = &[("id", "$response.body#/tenant/uid")];
const SAME: &[(&str, &str)] = &[("id", "$request.path.id")];
const OWN: &[(&str, &str)] = &[("id", "$response.body#/id")];
const FIRST: &[(&str, &str)] = &[("id", "$response.body#/items/0/id")];
const OPERATION: &[(&str, &str)] = &[("id", "$response.body#/operation/id")];
const EXPORT: &[(&str, &str)] = &[("id", "$response.body#/export/id")];
const WEBHOOK: &[(&str, &str)] = &[("id", "$response.body#/webhook/id")];
const PLAN: &[(&str, &str)] = &[("hash", "$response.body#/hash")];
const PACKAGE: &[(&str, &str)] = &[("sha256", "$response.body#/sha256")];
const DELIVERY: &[(&str, &str)] =
    &[("id", "$response.body#/webhook"), ("delivery", "$response.body#/id")];
const INSTALLED: &[(&str, &str)] = &[("id", "$request.path.id"), ("name", "$request.body#/name")];
const LISTED: &[(&str, &str)] =
    &[("id", "$request.path.id"), ("name", "$response.body#/items/0/name")];
const PIECE: &[(&str, &str)] =
    &[("id", "$response.body#/id"), ("Upload-Offset", "$response.body#/offset")];

/// After these operations these can follow, with parameters from the answer.
type Rule =
    (&'static [&'static str], &'static [&'static str], &'static [(&'static str, &'static str)]);

const RULES: &[Rule] = &[
    (
        &["tenant_create", "tenant_put", "tenant_clone", "import_complete"],
        &[
            "tenant_show",
            "tenant_document",
            "tenant_update",
            "tenant_suspend",
            "tenant_delete",
            "tenant_export",
            "tenant_clone",
            "tenant_route",
            "tenant_logs",
            "tenant_inventory",
            "tenant_login_link",
            "tenant_plugin_list",
            "tenant_theme_list",
        ],
        SITE,
    ),
    (
        &[
            "tenant_create",
            "tenant_put",
            "tenant_clone",
            "import_complete",
            "tenant_update",
            "tenant_suspend",
            "tenant_resume",
            "tenant_delete",
            "tenant_undelete",
            "tenant_erase",
            "tenant_export",
            "tenant_plugin_install",
            "tenant_plugin_activate",
            "tenant_plugin_deactivate",
            "tenant_plugin_update",
            "tenant_plugin_remove",
            "tenant_theme_install",
            "tenant_theme_activate",
            "tenant_theme_update",
            "tenant_theme_remove",
        ],
        &["operation_show", "operation_events"],
        OPERATION,
    ),
    (&["tenant_suspend"], &["tenant_resume", "tenant_show"], SITE),
    (&["tenant_delete"], &["tenant_undelete", "tenant_erase", "tenant_show"], SITE),
    (&["tenant_resume", "tenant_undelete"], &["tenant_show", "tenant_update"], SITE),
    (&["tenant_export"], &["export_show", "export_data"], EXPORT),
    (
        &["tenant_plugin_install"],
        &["tenant_plugin_show", "tenant_plugin_activate", "tenant_plugin_remove"],
        INSTALLED,
    ),
    (
        &["tenant_theme_install"],
        &["tenant_theme_show", "tenant_theme_activate", "tenant_theme_remove"],
        INSTALLED,
    ),
    (&["tenant_plugin_list"], &["tenant_plugin_show", "tenant_plugin_deactivate"], LISTED),
    (&["tenant_theme_list"], &["tenant_theme_show", "tenant_theme_activate"], LISTED),
    (&["tenant_inventory_refresh"], &["tenant_inventory"], SAME),
    (&["operation_list"], &["operation_show", "operation_events"], FIRST),
    (&["import_create"], &["import_show", "import_complete", "import_delete"], OWN),
    (&["import_create", "import_show"], &["import_data"], PIECE),
    (&["plan_create"], &["plan_show", "plan_apply"], PLAN),
    (&["package_add", "package_fetch"], &["package_show", "package_delete"], PACKAGE),
    (
        &["webhook_create"],
        &[
            "webhook_show",
            "webhook_update",
            "webhook_test",
            "webhook_rotate_secret",
            "webhook_delivery_list",
            "webhook_delete",
        ],
        WEBHOOK,
    ),
    (&["webhook_list"], &["webhook_show", "webhook_delivery_list"], FIRST),
    (&["webhook_test"], &["webhook_delivery_replay"], DELIVERY),
    (&["shard_list"], &["shard_show", "shard_update"], FIRST),
];

/// Adds to the answers of an operation what can follow.
pub(super) fn add(operation: &mut Operation) {
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
        for (from, targets, parameters) in RULES {
            let is_of_accepted = [SITE, OPERATION].contains(parameters);
            if !from.contains(&id.as_str()) || is_of_accepted && !accepted {
                continue;
            }
            for target in *targets {
                response.links.insert((*target).to_owned(), RefOr::T(link(target, parameters)));
            }
        }
    }
}

fn link(target: &str, parameters: &[(&str, &str)]) -> Link {
    let mut link = Link::default();
    target.clone_into(&mut link.operation_id);
    let values = parameters.iter().map(|(name, from)| ((*name).to_owned(), Value::from(*from)));
    link.parameters = values.collect();
    link
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
