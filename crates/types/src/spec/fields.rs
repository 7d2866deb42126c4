//! Every field of a tenant document: what it does, or that it is not available yet. The one table
//! behind the refusals of `check`, `docs/FIELDS.md`, and the tests that walk every field; a field
//! of the schema that has no row here fails a test.

use serde_json::Value;

use super::FieldError;

/// Whether a field does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does what its row says.
    Works,
    /// It is refused wherever it is given; its row says what there is instead.
    NotYet,
}

/// One field of a tenant document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// JSON pointer (RFC 6901) into the document; `*` stands for each item of a list and each
    /// name of a map.
    pub pointer: &'static str,
    /// Whether it does something.
    pub standing: Standing,
    /// What it does; for one that is not available, what there is instead.
    pub what: &'static str,
    /// A value that it takes, or would take, as JSON.
    pub example: &'static str,
}

const fn works(pointer: &'static str, example: &'static str, what: &'static str) -> Field {
    Field { pointer, standing: Standing::Works, what, example }
}

const fn not_yet(pointer: &'static str, example: &'static str, what: &'static str) -> Field {
    Field { pointer, standing: Standing::NotYet, what, example }
}

/// Every field, in the order of the document.
pub const FIELDS: &[Field] = &[
    works("/apiVersion", r#""aipress.io/v1""#, "the form of the document"),
    works("/kind", r#""Tenant""#, "what the document is about"),
    works("/metadata/name", r#""bakery""#, "the site's name, for ever; it is in its address"),
    works("/metadata/displayName", r#""Anna's Bakery""#, "what people call the site"),
    works(
        "/metadata/labels",
        r#"{"team":"shops"}"#,
        "found by `aipress tenant list --label team=shops`",
    ),
    works(
        "/metadata/account",
        r#""0198c2f4-6a1e-4c3b-9d5f-2e8a4b6c1d03""#,
        "who owns it; set once, at creation",
    ),
    works("/spec/tier", r#""silver""#, "PHP workers, memory and price"),
    works("/spec/region", r#""europe-west1""#, "where the site is placed; set once"),
    works("/spec/residency", r#""europe-west1""#, "which region its data must not leave; set once"),
    works("/spec/wordpress/version", r#""7.1""#, "WordPress's version"),
    works("/spec/wordpress/title", r#""The Bakery""#, "the site's title; set once, at creation"),
    works(
        "/spec/wordpress/locale",
        r#""en_US""#,
        "its language: en_US; others are added in wp-admin, under Settings, General",
    ),
    works(
        "/spec/wordpress/adminEmail",
        r#""anna@example.org""#,
        "address of the first administrator; set once, at creation",
    ),
    works(
        "/spec/php/version",
        r#""8.2""#,
        "PHP's version: the one of the platform's machines; another is refused, with the one there is",
    ),
    works(
        "/spec/php/settings",
        r#"{"memory_limit":"128M"}"#,
        "PHP's settings, of the list below; workers are replaced",
    ),
    works("/spec/runtime/minInstances", "0", "PHP workers that are kept warm"),
    works("/spec/runtime/maxInstances", "2", "PHP workers at once; more requests wait"),
    not_yet(
        "/spec/runtime/profile",
        r#""shop""#,
        "the tier, `minInstances` and `maxInstances` say how much a site uses",
    ),
    not_yet(
        "/spec/domains",
        r#"["www.example.org"]"#,
        "a site answers at its name below the platform's domain",
    ),
    works("/spec/plugins", r#"[{"name":"akismet"}]"#, "plugins that must be there"),
    works("/spec/plugins/*/name", r#""akismet""#, "the plugin's folder, as in the directory"),
    works("/spec/plugins/*/version", r#""5.3""#, "exactly this version; left out, any will do"),
    works("/spec/plugins/*/source", r#""mirror""#, "where it comes from"),
    works("/spec/plugins/*/active", "true", "whether it is switched on; left out, it is"),
    works("/spec/themes", r#"[{"name":"twentytwentyfive"}]"#, "themes that must be there"),
    works(
        "/spec/themes/*/name",
        r#""twentytwentyfive""#,
        "the theme's folder, as in the directory",
    ),
    works("/spec/themes/*/version", r#""1.2""#, "exactly this version; left out, any will do"),
    works("/spec/themes/*/source", r#""mirror""#, "where it comes from"),
    works("/spec/themes/*/active", "true", "whether pages are made with it; one theme at most"),
    works(
        "/spec/environment/kind",
        r#""production""#,
        "what the site is for; `staging` is not available yet: `aipress tenant clone` copies a site",
    ),
    not_yet(
        "/spec/environment/of",
        r#""bakery""#,
        "every site is a production site; `aipress tenant clone` copies one",
    ),
    works(
        "/spec/env",
        r#"{"SHOP_MODE":"live"}"#,
        "variables that PHP sees (`getenv()`, `$_ENV`); no place for secrets",
    ),
    not_yet(
        "/spec/database",
        r#"{"slowQueryMs":500}"#,
        "every site has the platform's settings, and 30 s a query",
    ),
    not_yet(
        "/spec/backups",
        r#"{"schedule":"daily"}"#,
        "`aipress tenant export` writes a site into a file",
    ),
    not_yet(
        "/spec/cache",
        r#"{"ttlSeconds":60}"#,
        "no page is cached at the edge; objects are in Redis for every site",
    ),
    works(
        "/spec/security/xmlrpc",
        r#""disabled""#,
        "`limited` is without pingbacks, `full` as WordPress has it",
    ),
    works(
        "/spec/security/userEnumeration",
        "true",
        "whether strangers may list users and learn which names exist; false",
    ),
    works("/spec/security/fileEditing", "true", "whether wp-admin edits plugins' files; false"),
    works(
        "/spec/security/unfilteredHtml",
        r#""nobody""#,
        "who may write any HTML: `administrators`, `editors` or `nobody`",
    ),
    works("/spec/security/headers", "false", "whether pages carry headers that protect visitors"),
    works(
        "/spec/security/applicationPasswords",
        r#""never""#,
        "`secure` is over TLS and from the machine itself; or `always`, `never`",
    ),
    works(
        "/spec/security/phpInUploads",
        "true",
        "whether PHP below `wp-content/uploads` is run for visitors; false",
    ),
    works(
        "/spec/security/loginAttempts",
        "3",
        "failed sign-ins before an address has to wait; 0 is no limit, 5 the default",
    ),
];

/// A complaint about each field that is given (is in `spec`, the spec as JSON) and is not
/// available yet; pointers start with `base` in place of `/spec`.
pub(super) fn not_available(spec: &Value, base: &str) -> Vec<FieldError> {
    FIELDS
        .iter()
        .filter(|field| field.standing == Standing::NotYet)
        .filter_map(|field| {
            let below = field.pointer.strip_prefix("/spec")?;
            let given = spec.pointer(below)?;
            (!is_default(given)).then(|| refusal(field.pointer, &format!("{base}{below}")))?
        })
        .collect()
}

/// The refusal of the field of this row, at `pointer`.
pub(super) fn refusal(row: &str, pointer: &str) -> Option<FieldError> {
    let field = FIELDS.iter().find(|field| field.pointer == row)?;
    let name = row.strip_prefix("/spec/").unwrap_or(row).replace('/', ".");
    let what = field.what;
    Some(FieldError::new(pointer, format!("`{name}` is not available yet; leave it out ({what})")))
}

/// What a field that was left out looks like.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
