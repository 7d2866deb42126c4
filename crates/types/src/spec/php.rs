//! What a site's PHP is asked to be: the settings that a site may make, and their bounds.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::FieldError;
use super::scalar;
use crate::tier::Tier;

/// What PHP is asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhpSpec {
    /// PHP version such as `8.2`: that of the platform, which it is when left out, too.
    #[serde(
        default,
        deserialize_with = "scalar::version",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(pattern = "^[0-9]{1,2}\\.[0-9]{1,2}$")]
    pub version: Option<String>,
    /// PHP settings by their `php.ini` names: display_errors, max_execution_time, max_file_uploads,
    /// max_input_time, max_input_vars, memory_limit, post_max_size, upload_max_filesize.
    #[serde(
        default,
        deserialize_with = "scalar::texts",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    #[schema(value_type = BTreeMap<String, scalar::Scalar>)]
    pub settings: BTreeMap<String, String>,
}

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// `On` or `Off`.
    Switch,
    /// A whole number from `min` to `max`, in `unit`.
    Number {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
        /// Such as `s`.
        unit: &'static str,
    },
    /// A size such as `64M`, from `min` to the tier's `max`, in MiB.
    Size {
        /// Smallest.
        min: u64,
        /// Largest in bronze, silver and gold.
        max: [u64; 3],
    },
}

/// A setting that a site may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in `php.ini`.
    pub name: &'static str,
    /// What it takes.
    pub kind: SettingKind,
    /// What it is when nobody says otherwise.
    pub default: &'static str,
    /// Whether the site's own code must not change it at run time.
    pub fixed: bool,
}

const fn number(
    name: &'static str,
    min: u64,
    max: u64,
    unit: &'static str,
    default: &'static str,
) -> Setting {
    Setting { name, kind: SettingKind::Number { min, max, unit }, default, fixed: false }
}

const fn size(name: &'static str, min: u64, max: [u64; 3], default: &'static str) -> Setting {
    Setting { name, kind: SettingKind::Size { min, max }, default, fixed: false }
}

/// The settings that a site may make, by name. Sizes end where the edge's bound of a body does,
/// times where the gateway's 300 s do.
pub const SETTINGS: &[Setting] = &[
    // Fixed: WordPress switches it off at each start, and that is what the tenant asks to undo.
    Setting { name: "display_errors", kind: SettingKind::Switch, default: "Off", fixed: true },
    number("max_execution_time", 1, 300, "s of CPU", "60"),
    number("max_file_uploads", 1, 100, "files", "50"),
    number("max_input_time", 1, 300, "s", "120"),
    number("max_input_vars", 100, 20_000, "fields", "5000"),
    size("memory_limit", 64, [256, 384, 512], "256M"),
    size("post_max_size", 1, [101, 101, 101], "101M"),
    size("upload_max_filesize", 1, [100, 100, 100], "100M"),
];

impl PhpSpec {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Every setting that a site may make, with the value that it has here. All, because PHP keeps
    /// what a request set for the next ones of the same worker: what one request says, the next must
    /// not leave unsaid.
    pub fn told(&self, tier: Tier) -> Vec<(&'static Setting, String)> {
        SETTINGS
            .iter()
            .map(|setting| {
                let asked = self.settings.get(setting.name);
                let value = asked.and_then(|value| setting.value(value, tier).ok());
                (setting, value.unwrap_or_else(|| setting.default.to_owned()))
            })
            .collect()
    }

    pub(super) fn check(&self, tier: Tier, base: &str, errors: &mut Vec<FieldError>) {
        if let Some(version) = &self.version
            && !is_version(version)
        {
            errors.push(FieldError::new(
                format!("{base}/version"),
                format!("`{version}` is no PHP version such as 8.2"),
            ));
        }
        for (name, value) in &self.settings {
            let complaint = match SETTINGS.iter().find(|setting| setting.name == name) {
                Some(setting) => setting.value(value, tier).err(),
                None => Some(format!(
                    "`{name}` is not one of the settings that a site may make: {}",
                    SETTINGS.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ")
                )),
            };
            let pointer = format!("{base}/settings/{}", super::escape(name));
            errors.extend(complaint.map(|detail| FieldError::new(pointer, detail)));
        }
    }
}

impl Setting {
    /// The value as PHP takes it, or why not.
    fn value(&self, text: &str, tier: Tier) -> Result<String, String> {
        let name = self.name;
        match self.kind {
            SettingKind::Switch => match text.to_ascii_lowercase().as_str() {
                "on" | "1" | "true" | "yes" => Ok("On".to_owned()),
                "off" | "0" | "false" | "no" => Ok("Off".to_owned()),
                _ => Err(format!("`{name}` is On or Off, not `{text}`")),
            },
            SettingKind::Number { min, max, unit } => match plain(text) {
                Some(number) if (min..=max).contains(&number) => Ok(number.to_string()),
                _ => Err(format!("`{name}` is {min} to {max} ({unit}), not `{text}`")),
            },
            SettingKind::Size { min, max } => {
                let [bronze, silver, gold] = max;
                let max = match tier {
                    Tier::Bronze => bronze,
                    Tier::Silver => silver,
                    Tier::Gold => gold,
                };
                match mebibytes(text) {
                    Some(size) if (min..=max).contains(&size) => Ok(format!("{size}M")),
                    _ => Err(format!("`{name}` is {min}M to {max}M in {tier}, not `{text}`")),
                }
            }
        }
    }
}

fn plain(text: &str) -> Option<u64> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A size in whole MiB: `64M`, `1G`, `65536K`, or bytes.
fn mebibytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1 << 10),
        'm' | 'M' => (&text[..text.len() - 1], 1 << 20),
        'g' | 'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    let bytes = plain(digits)? * unit;
    (bytes % (1 << 20) == 0).then_some(bytes >> 20)
}

fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 2 && parts.iter().all(|part| part.len() <= 2 && plain(part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(settings: &[(&str, &str)], tier: Tier) -> Vec<String> {
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut errors = Vec::new();
        PhpSpec { version: None, settings }.check(tier, "/spec/php", &mut errors);
        errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect()
    }

    #[test]
    fn bounds_are_those_of_the_tier() {
        assert_eq!(complaints(&[("memory_limit", "256M")], Tier::Bronze), [""; 0]);
        assert_eq!(
            complaints(&[("memory_limit", "512M")], Tier::Bronze),
            [
                "/spec/php/settings/memory_limit: `memory_limit` is 64M to 256M in bronze, not `512M`"
            ]
        );
        assert_eq!(complaints(&[("memory_limit", "512M")], Tier::Gold), [""; 0]);
        assert_eq!(complaints(&[("memory_limit", "1G")], Tier::Gold).len(), 1);
    }

    #[test]
    fn only_what_is_listed_and_means_something_passes() {
        for bad in [
            ("open_basedir", "/"),
            ("disable_functions", ""),
            ("memory_limit", "-1"),
            ("memory_limit", "lots"),
            ("memory_limit", "64M\nopen_basedir=/"),
            ("memory_limit", "99999999999999999999M"),
            ("max_execution_time", "0"),
            ("max_execution_time", "301"),
            ("max_execution_time", "ten"),
            ("display_errors", "stderr"),
            ("upload_max_filesize", "101M"),
            ("upload_max_filesize", "1.5M"),
            ("upload_max_filesize", ""),
            ("upload_max_filesize", "ä"),
        ] {
            assert_eq!(complaints(&[bad], Tier::Gold).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn defaults_of_the_table_are_within_their_own_bounds() {
        for setting in SETTINGS {
            assert_eq!(
                setting.value(setting.default, Tier::Bronze).as_deref(),
                Ok(setting.default)
            );
        }
    }

    #[test]
    fn one_setting_is_told_with_all_others() {
        let mut spec = PhpSpec::default();
        assert!(spec.told(Tier::Gold).iter().all(|(setting, value)| setting.default == value));
        spec.settings.insert("display_errors".to_owned(), "1".to_owned());
        let told = spec.told(Tier::Gold);
        assert_eq!(told.len(), SETTINGS.len());
        assert_eq!((told[0].0.name, told[0].1.as_str()), ("display_errors", "On"));
        assert!(told.iter().any(|(s, value)| s.name == "memory_limit" && value == "256M"));
    }
}
