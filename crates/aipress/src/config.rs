//! `config.yaml` of a person: the platforms that the verbs may talk to (contexts), which of them is
//! meant when nothing says so, and defaults of flags. Unknown keys are errors that name the key that
//! was probably meant. Not to be confused with `settings`: those are a platform's own.

mod keys;
mod target;

pub(crate) use keys::get;
pub(crate) use keys::set;
pub(crate) use keys::unset;
pub(crate) use target::Origin;
pub(crate) use target::Target;
pub(crate) use target::token_in;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use aipress_kit::durable;
use aipress_kit::http::Endpoint;
use aipress_types::Secret;
use anyhow::Context as _;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::exit::Failure;
use crate::output;
use crate::words;

/// The context that is always there: the platform of the data folder.
pub(crate) const LOCAL: &str = "local";
/// Longest name of a context.
const NAME_MAX: usize = 63;
/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Lines shown around a change of it.
const AROUND: usize = 3;

/// What a person chose, once for all commands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    /// The context that is meant when nothing says otherwise; `local` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current_context: Option<String>,
    /// Default of `--output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// Default of `--color`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) color: Option<String>,
    /// Platforms by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A platform and who one is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Context {
    /// Address of the API: `http://…`, `https://…` or `unix:…`.
    pub(crate) server: String,
    /// File with the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// The token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// Authorities (PEM) that vouch for an `https:` server; the system's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

impl Config {
    /// Where it is: `$XDG_CONFIG_HOME/aipress/config.yaml`, `~/.config` without the variable.
    ///
    /// # Errors
    /// When there is no home folder either.
    pub(crate) fn path() -> Result<PathBuf, Failure> {
        // Relative ones are to be ignored (XDG Base Directory Specification).
        let base = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".config")))
            .ok_or_else(|| {
                Failure::Usage("no home folder is known; set XDG_CONFIG_HOME".to_owned())
            })?;
        Ok(base.join("aipress/config.yaml"))
    }

    /// What is in the file; nothing when there is none.
    ///
    /// # Errors
    /// When it can't be read or understood, or when others can read a token in it.
    pub(crate) fn load() -> Result<Self, Failure> {
        match Self::path() {
            Ok(path) => Self::read(&path),
            // Without a home there is nothing to load.
            Err(_) => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::Usage(format!("{}: {what}", path.display()));
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        if metadata.len() > FILE_MAX {
            return Err(wrong(format!("larger than {FILE_MAX} bytes")));
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let config = Self::parse(&text).map_err(wrong)?;
        let holds_token = config.contexts.values().any(|context| context.token.is_some());
        if holds_token && metadata.permissions().mode() & 0o077 != 0 {
            return Err(wrong(format!(
                "others can read the token in it: chmod 600 {}",
                path.display()
            )));
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        if value.is_null() {
            return Ok(Self::default());
        }
        keys::check(&value)?;
        let config: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        config.checked()?;
        Ok(config)
    }

    fn checked(&self) -> Result<(), String> {
        keys::check_default("output", self.output.as_deref())?;
        keys::check_default("color", self.color.as_deref())?;
        for (name, context) in &self.contexts {
            check_name(name)?;
            context
                .server
                .parse::<Endpoint>()
                .map_err(|error| format!("contexts.{name}.server: {error}"))?;
        }
        Ok(())
    }

    /// Writes it, for its owner only.
    ///
    /// # Errors
    /// When something in it is wrong, or what the file system says.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        self.checked().map_err(Failure::Usage)?;
        let path = Self::path()?;
        // A link (to a folder of settings under version control, say) stays one.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let folder = path.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let text = serde_yaml_ng::to_string(self).context("encode YAML")?;
        durable::write(&path, text.as_bytes(), 0o600)
            .with_context(|| format!("write {}", path.display()))?;
        Ok(())
    }

    /// The same; with `dry_run` it is only shown what would change. Whether it is written.
    ///
    /// # Errors
    /// When something in it is wrong, or what the file system says.
    pub(crate) fn keep(&self, dry_run: bool) -> Result<bool, Failure> {
        if !dry_run {
            return self.save().map(|()| true);
        }
        self.checked().map_err(Failure::Usage)?;
        let text = |config: &Self| -> Result<String, Failure> {
            let mut config = config.clone();
            for context in config.contexts.values_mut() {
                context.token = context.token.as_ref().map(|_| Secret::new("(not shown)"));
            }
            Ok(serde_yaml_ng::to_string(&config).context("encode YAML")?)
        };
        let (path, before) = (Self::path()?.display().to_string(), Self::load()?);
        output::say(&output::diff(&path, &path, &text(&before)?, &text(self)?, AROUND));
        output::note("Nothing is done yet: the same command without --dry-run does it.");
        Ok(false)
    }

    /// A context that is there.
    ///
    /// # Errors
    /// When there is none of this name, with the names that there are.
    pub(crate) fn context(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| Failure::Usage(self.no_context(name)))
    }

    /// The words for a context that is not there.
    pub(crate) fn no_context(&self, name: &str) -> String {
        let names = std::iter::once(LOCAL).chain(self.contexts.keys().map(String::as_str));
        let names: Vec<&str> = names.collect();
        match words::closest(name, names.iter().copied()) {
            Some(meant) => format!("there is no context `{name}`: did you mean `{meant}`?"),
            None => format!("there is no context `{name}`; there are {}", names.join(", ")),
        }
    }
}

/// Whether a context may be called so.
///
/// # Errors
/// When not, with what would be right.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name == LOCAL {
        return Err(format!("`{LOCAL}` is the platform of the data folder: take another name"));
    }
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        return Err(format!(
            "context `{name}`: a name has 1 to {NAME_MAX} letters, digits, hyphens and underscores"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
