//! Environment variables of a site: which names and how much. Pure.

use std::collections::BTreeMap;

use super::FieldError;

/// Variables of a site at most.
pub const VARIABLES_MAX: usize = 100;
/// Longest name, in bytes.
pub const VARIABLE_NAME_MAX: usize = 64;
/// Longest value, in bytes.
pub const VARIABLE_VALUE_MAX: usize = 4 * 1024;
/// Names and values together, in bytes: they are read on each request.
pub const VARIABLES_BYTES_MAX: usize = 16 * 1024;

/// Beginnings of names that the platform, PHP, the web server or the loader use themselves.
const RESERVED_PREFIXES: &[&str] =
    &["AIPRESS_", "FCGI_", "HTTP_", "LC_", "LD_", "PHP_", "REDIRECT_", "REMOTE_", "SERVER_"];
/// Names likewise.
const RESERVED: &[&str] = &["HOME", "LANG", "PATH", "SHELL", "TMPDIR", "TZ", "USER"];

/// Complaints about `env`, the object at `base`.
pub(super) fn check(env: &BTreeMap<String, String>, base: &str, errors: &mut Vec<FieldError>) {
    if env.len() > VARIABLES_MAX {
        errors.push(FieldError::new(
            base,
            format!("a site has at most {VARIABLES_MAX} variables, these are {}", env.len()),
        ));
        return;
    }
    let bytes: usize = env.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > VARIABLES_BYTES_MAX {
        errors.push(FieldError::new(
            base,
            format!("names and values have at most {VARIABLES_BYTES_MAX} bytes together, these have {bytes}"),
        ));
    }
    for (name, value) in env {
        if let Some(detail) = complaint(name, value) {
            errors.push(FieldError::new(format!("{base}/{}", super::escape(name)), detail));
        }
    }
}

fn complaint(name: &str, value: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let well_formed = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= VARIABLE_NAME_MAX;
    if !well_formed {
        return Some(format!(
            "a name has 1 to {VARIABLE_NAME_MAX} letters, digits and underscores and begins with \
             no digit"
        ));
    }
    let upper = name.to_ascii_uppercase();
    if RESERVED.contains(&upper.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
    {
        return Some(format!("`{name}` is reserved: choose another name, such as `SITE_{name}`"));
    }
    if value.len() > VARIABLE_VALUE_MAX {
        return Some(format!("a value has at most {VARIABLE_VALUE_MAX} bytes"));
    }
    value.contains('\0').then(|| "a value has no NUL character".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, value: &str) -> usize {
        let mut errors = Vec::new();
        check(&BTreeMap::from([(name.to_owned(), value.to_owned())]), "/spec/env", &mut errors);
        errors.len()
    }

    #[test]
    fn names_are_those_of_a_shell_and_not_the_platforms() {
        for good in ["A", "_x", "SHOP_MODE", "x9"] {
            assert_eq!(complaints(good, "a value, with\nlines and ä"), 0, "{good}");
        }
        let long = "A".repeat(65);
        for bad in [
            "",
            "9A",
            "A-B",
            "A B",
            "Ä",
            "A=B",
            "A\0B",
            &long,
            "PATH",
            "path",
            "AIPRESS_X",
            "LD_PRELOAD",
            "HTTP_PROXY",
            "PHP_VALUE",
        ] {
            assert_eq!(complaints(bad, "x"), 1, "{bad}");
        }
        assert_eq!(complaints("A", "a\0b"), 1);
        assert_eq!(complaints("A", &"x".repeat(VARIABLE_VALUE_MAX + 1)), 1);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let many: BTreeMap<_, _> =
            (0..=VARIABLES_MAX).map(|i| (format!("A{i}"), String::new())).collect();
        let large: BTreeMap<_, _> = (0..5).map(|i| (format!("A{i}"), "x".repeat(4096))).collect();
        for env in [many, large] {
            let mut errors = Vec::new();
            check(&env, "/spec/env", &mut errors);
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].pointer, "/spec/env");
        }
    }
}
