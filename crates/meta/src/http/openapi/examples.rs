//! An example for every body: `examples.json`, by the names of schemas. `"@Name"` in it stands for
//! another one's example; a page has one item.

use serde_json::Value;
use serde_json::json;
use utoipa::openapi;
use utoipa::openapi::RefOr;
use utoipa::openapi::Schema;

const FILE: &str = include_str!("examples.json");
/// What a scrape begins with.
const METRICS: &str = "# TYPE aipress_meta_streams gauge\naipress_meta_streams 3\n# EOF\n";

/// The examples.
pub(super) struct Examples(Value);

impl Examples {
    /// Those of the file; none when it is damaged, which a test would see.
    pub(super) fn new() -> Self {
        Self(serde_json::from_str(FILE).unwrap_or_default())
    }

    /// Puts one beside what a body's schema refers to.
    pub(super) fn show(&self, media_type: &str, content: &mut RefOr<openapi::Content>) {
        let RefOr::T(content) = content else { return };
        if media_type.starts_with("application/openmetrics-text") {
            content.example = Some(METRICS.into());
        }
        if media_type == "text/csv" {
            content.example = Some(aipress_audit::CSV_HEAD.into());
        }
        if let Some(example) = content.schema.as_ref().and_then(|schema| self.of_schema(schema)) {
            content.example = Some(example);
        }
    }

    fn of_schema(&self, schema: &RefOr<Schema>) -> Option<Value> {
        match schema {
            RefOr::Ref(to) => self.named(to.ref_location.rsplit('/').next()?),
            // Of several forms the first that has one.
            RefOr::T(Schema::OneOf(forms)) => {
                forms.items.iter().find_map(|form| self.of_schema(form))
            }
            RefOr::T(Schema::AnyOf(forms)) => {
                forms.items.iter().find_map(|form| self.of_schema(form))
            }
            RefOr::T(_) => None,
        }
    }

    /// The example of this schema.
    fn named(&self, name: &str) -> Option<Value> {
        match name.strip_prefix("Page_") {
            Some(item) => Some(json!({ "items": [self.named(item)?] })),
            None => self.0.get(name).map(|example| self.whole(example)),
        }
    }

    fn whole(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => text
                .strip_prefix('@')
                .and_then(|name| self.named(name))
                .unwrap_or_else(|| value.clone()),
            Value::Array(items) => items.iter().map(|item| self.whole(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.whole(value))).collect()
            }
            other => other.clone(),
        }
    }
}
