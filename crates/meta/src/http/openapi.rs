//! The description of the public API (OpenAPI 3.1), made from the same lines as the API itself:
//! no database, no running meta. What is the same for every endpoint is added here once.

mod examples;
mod links;
mod problems;

use aipress_api::Problem;
use utoipa::Number;
use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::Ref;
use utoipa::openapi::RefOr;
use utoipa::openapi::Required;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::path::ParameterBuilder;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::schema::SchemaFormat;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::HttpBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::security::SecurityScheme;

use self::examples::Examples;
use self::problems::Traits;

/// Name of the security scheme.
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AIPress",
        description = "Hosts WordPress sites. Every change answers with an operation that can be \
                       followed at once; every error is `application/problem+json` (RFC 9457) \
                       with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "tenants", description = "Sites"),
        (name = "plans", description = "What changes would do"),
        (name = "schemas", description = "Forms of documents"),
        (name = "operations", description = "Long-running changes"),
        (name = "events", description = "What happened, as pages and as a stream"),
        (name = "webhooks", description = "Addresses that are told of events"),
        (name = "packages", description = "Plugins and themes in the platform's mirror"),
        (name = "shards", description = "Cells that sites live in"),
        (name = "projects", description = "Where shards and shared services live"),
        (name = "audit", description = "Who did what"),
        (name = "me", description = "The caller"),
        (name = "health", description = "Whether the platform works"),
        (name = "metrics", description = "For Prometheus"),
    ),
    components(schemas(Problem)),
)]
struct Preamble;

/// The document before its endpoints.
pub(super) fn preamble() -> openapi::OpenApi {
    Preamble::openapi()
}

/// The description of the public API.
pub fn openapi() -> openapi::OpenApi {
    let (_, mut document) = super::routes().split_for_parts();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        TOKEN,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token, `aip_…`"))
                .build(),
        ),
    );
    let examples = Examples::new();
    let rules = links::rules();
    for (path, item) in &mut document.paths.paths {
        // What has an etag.
        let conditional = path.starts_with("/v1/tenants/{id}");
        for (method, operation) in operations(item) {
            // A plan changes nothing as it is.
            let planned = method != "GET" && path != "/v1/plans";
            let keyed = method != "GET" && !EACH_TIME.contains(&path.as_str());
            complete(operation, keyed, conditional && keyed, planned);
            refuses(operation, path, method != "GET", conditional && keyed);
            shows(operation, &examples);
            links::add(operation, &rules);
        }
    }
    document
}

/// What is done each time that it is asked for, whatever key and etag come along: a look, a
/// command, and a piece of an upload, which says itself where it goes.
const EACH_TIME: [&str; 3] =
    ["/v1/tenants/{id}/inventory/refresh", "/v1/tenants/{id}/wp", "/v1/imports/{id}/data"];

/// The operations of a path, by their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", item.get.as_mut()),
        ("POST", item.post.as_mut()),
        ("PUT", item.put.as_mut()),
        ("PATCH", item.patch.as_mut()),
        ("DELETE", item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

fn complete(operation: &mut Operation, changes: bool, conditional: bool, planned: bool) {
    // What is open says so itself, with an empty requirement.
    if operation.security.is_none() {
        operation.security =
            Some(vec![SecurityRequirement::new(TOKEN, std::iter::empty::<String>())]);
    }
    if changes {
        let parameters = operation.parameters.get_or_insert_default();
        for (name, description) in [
            (
                "Idempotency-Key",
                "Any text, new for each change: sent twice within 24 h, the change happens once \
                 and the first answer is given again, with `Idempotency-Replayed: true`",
            ),
            ("Audit-Reason", "Why, for the audit log: 1 to 500 characters on one line, in UTF-8"),
            ("If-Match", "Only if the etag is still this one; else 412 `etag_mismatch`"),
        ] {
            if name == "If-Match" && !conditional {
                continue;
            }
            parameters.push(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Header)
                    .required(Required::False)
                    .description(Some(description))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                    .build()
                    .into(),
            );
        }
    }
    if planned {
        plannable(operation);
    }
    operation.parameters.iter_mut().flatten().for_each(bounded);
}

/// Says which problems it may answer with.
fn refuses(operation: &mut Operation, path: &str, changes: bool, conditional: bool) {
    let named = |name: &str| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => parameter.name == name,
            RefOr::Ref(_) => false,
        })
    };
    let is_streamed = operation.responses.responses.values().any(|response| match response {
        RefOr::T(response) => response.content.contains_key("text/event-stream"),
        RefOr::Ref(_) => false,
    });
    let traits = Traits {
        path,
        is_open: operation.security.as_deref() == Some(&[SecurityRequirement::default()]),
        changes,
        has_body: operation.request_body.is_some(),
        is_conditional: conditional,
        is_streamed,
        is_paged: named("cursor") || named("after"),
    };
    for (status, response) in problems::responses(traits) {
        operation.responses.responses.insert(status, response);
    }
}

/// Puts an example beside each body that is taken or given.
fn shows(operation: &mut Operation, examples: &Examples) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for (media_type, content) in &mut body.content {
            examples.show(media_type, content);
        }
    }
    let given = operation.responses.responses.iter_mut();
    for (_, response) in given.filter(|(status, _)| status.starts_with('2')) {
        let RefOr::T(response) = response else { continue };
        for (media_type, content) in &mut response.content {
            examples.show(media_type, content);
        }
    }
}

/// Says of a parameter what its words say: nothing is sent as `null`, and what has bounds has them
/// for programs, too.
fn bounded(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema else { return };
    if let SchemaType::Array(types) = &mut object.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            object.schema_type = SchemaType::Type(only.clone());
        }
    }
    if parameter.description.as_ref().is_some_and(|words| words.contains("1 to 500")) {
        object.minimum = Some(Number::UInt(1));
        object.maximum = Some(Number::UInt(500));
    }
    match parameter.name.as_str() {
        "Idempotency-Key" => {
            (object.min_length, object.max_length) = (Some(1), Some(255));
            object.pattern = Some("^[!-~]{1,255}$".to_owned());
        }
        "Audit-Reason" => {
            (object.min_length, object.max_length) = (Some(1), Some(500));
        }
        "since" | "until" => {
            object.format = Some(SchemaFormat::Custom("date-time".to_owned()));
        }
        _ => {}
    }
}

/// A change that takes `dryRun`.
fn plannable(operation: &mut Operation) {
    operation.parameters.get_or_insert_default().push(
        ParameterBuilder::new()
            .name("dryRun")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(
                "`true`: check everything and change nothing; the answer is 200 with a plan",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
            .build()
            .into(),
    );
    let content =
        ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("PlanView")))).build();
    let plan = ResponseBuilder::new()
        .description("With `dryRun=true`: the plan")
        .content("application/json", content)
        .build();
    let answers = &mut operation.responses.responses;
    answers.entry("200".to_owned()).and_modify(also_a_plan).or_insert(RefOr::T(plan));
}

/// An answer that is there already may also be a plan.
fn also_a_plan(response: &mut RefOr<openapi::Response>) {
    const JSON: &str = "application/json";
    let RefOr::T(response) = response else { return };
    if !response.content.contains_key(JSON) {
        let plan = RefOr::Ref(Ref::from_schema_name("PlanView"));
        let content = ContentBuilder::new().schema(Some(plan)).build();
        response.content.insert(JSON.to_owned(), content.into());
        return;
    }
    for content in response.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        if let Some(schema) = content.schema.take() {
            // Not one of them only: a program that takes fields it does not know takes both.
            let either = AnyOfBuilder::new()
                .item(schema)
                .item(RefOr::Ref(Ref::from_schema_name("PlanView")));
            content.schema = Some(RefOr::T(Schema::AnyOf(either.build())));
        }
    }
}
