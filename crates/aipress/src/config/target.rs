//! Which platform a command talks to, and as whom. From strong to weak: flags, variables, the
//! context that is chosen in `config.yaml`, the platform of the data folder. A token that belongs to
//! one platform is never sent to another: what a context or the data folder has goes with that
//! server only, what a flag or a variable has goes to the one that was chosen.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use aipress_kit::http::Endpoint;
use aipress_types::Secret;

use crate::args::Connect;
use crate::config::Config;
use crate::config::LOCAL;
use crate::data;
use crate::exit::Failure;
use crate::settings::Settings;

/// Where a command goes.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The address as it was given.
    pub(crate) server: String,
    /// The address, understood.
    pub(crate) endpoint: Endpoint,
    /// What is dialled instead of the address's name.
    pub(crate) dial: Option<String>,
    /// The token.
    pub(crate) token: Option<Secret>,
    /// Where the token is from, for people.
    pub(crate) token_from: String,
    /// Authorities of an `https:` server, when not the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// What said that it is this one.
    pub(crate) origin: Origin,
}

/// What said which platform it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `--server`.
    Flag,
    /// `AIPRESS_SERVER`.
    Variable,
    /// A context.
    Context {
        /// Its name.
        name: String,
        /// What chose it.
        chosen_by: &'static str,
    },
    /// Nothing: the platform of this data folder.
    Local(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--server"),
            Self::Variable => f.write_str("AIPRESS_SERVER"),
            Self::Context { name, chosen_by } => {
                write!(f, "context `{name}`, chosen by {chosen_by}")
            }
            Self::Local(root) => write!(f, "the platform of {}", root.display()),
        }
    }
}

/// What variables say.
#[derive(Debug, Clone, Default)]
struct Variables {
    context: Option<String>,
    token: Option<String>,
}

impl Variables {
    fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self { context: set("AIPRESS_CONTEXT"), token: set("AIPRESS_TOKEN") }
    }
}

impl Target {
    /// Looks at flags, variables, `config.yaml` and the data folder.
    ///
    /// # Errors
    /// When they contradict each other, or what they name is not there.
    pub(crate) fn resolve(data: Option<&Path>, connect: &Connect) -> Result<Self, Failure> {
        if connect.sources.here {
            return Self::local(data, None, Origin::Local);
        }
        Self::decide(data, connect, &Config::load()?, &Variables::read())
    }

    fn decide(
        data: Option<&Path>,
        connect: &Connect,
        config: &Config,
        variables: &Variables,
    ) -> Result<Self, Failure> {
        let sources = connect.sources;
        let server = |by_flag: bool| connect.server.as_ref().filter(|_| sources.server == by_flag);
        let mut target = if let Some(server) = server(true) {
            if let Some(name) = &connect.context {
                return Err(Failure::Usage(format!(
                    "--server and --context {name} both say which platform: give one of them"
                )));
            }
            Self::at(data, server, Origin::Flag)?
        } else if let Some(name) = &connect.context {
            Self::of_context(data, config, name, "--context")?
        } else if let Some(server) = server(false) {
            Self::at(data, server, Origin::Variable)?
        } else if let Some(name) = &variables.context {
            Self::of_context(data, config, name, "AIPRESS_CONTEXT")?
        } else {
            let name = config.current_context.as_deref().unwrap_or(LOCAL);
            Self::of_context(data, config, name, "config.yaml")?
        };
        target.sign_in(connect, variables)?;
        Ok(target)
    }

    /// A token that was given goes over the platform's own; but a context that a flag chose goes
    /// over variables.
    fn sign_in(&mut self, connect: &Connect, variables: &Variables) -> Result<(), Failure> {
        let flagged_context = connect.context.is_some() && self.token.is_some();
        let file = connect.token_file.as_ref();
        if let Some(path) = file.filter(|_| connect.sources.token_file || !flagged_context) {
            let from =
                if connect.sources.token_file { "--token-file" } else { "AIPRESS_TOKEN_FILE" };
            self.token = Some(token_in(path, from)?);
            self.token_from = format!("{from} {}", path.display());
        } else if let Some(token) = variables.token.as_ref().filter(|_| !flagged_context) {
            self.token = Some(Secret::new(token.trim()));
            "AIPRESS_TOKEN".clone_into(&mut self.token_from);
        }
        Ok(())
    }

    fn of_context(
        data: Option<&Path>,
        config: &Config,
        name: &str,
        chosen_by: &'static str,
    ) -> Result<Self, Failure> {
        let own_origin = |_| Origin::Context { name: LOCAL.to_owned(), chosen_by };
        if name == LOCAL {
            let chosen = chosen_by != "config.yaml";
            return if chosen {
                Self::local(data, None, own_origin)
            } else {
                Self::local(data, None, Origin::Local)
            };
        }
        let context = config.context(name)?;
        let origin = Origin::Context { name: name.to_owned(), chosen_by };
        let mut target = Self::new(&context.server, origin)?;
        target.ca_file.clone_from(&context.ca_file);
        if let Some(path) = &context.token_file {
            target.token = Some(token_in(path, &format!("context `{name}`, tokenFile"))?);
            target.token_from = path.display().to_string();
        } else if let Some(token) = &context.token {
            target.token = Some(token.clone());
            "config.yaml".clone_into(&mut target.token_from);
        }
        Ok(target)
    }

    /// An address that was given. When it is that of the data folder's own platform, that
    /// platform's token goes with it.
    fn at(data: Option<&Path>, server: &str, origin: Origin) -> Result<Self, Failure> {
        let given = Self::new(server, origin.clone())?;
        match Self::local(data, Some(server), |_| origin) {
            Ok(local) if local.endpoint == given.endpoint => Ok(local),
            _ => Ok(given),
        }
    }

    fn local(
        data: Option<&Path>,
        server: Option<&str>,
        origin: impl FnOnce(PathBuf) -> Origin,
    ) -> Result<Self, Failure> {
        let paths = data::paths(data)?;
        let settings = Settings::load(&paths)?;
        let mut target = Self::new(&settings.console_url(), origin(paths.root().to_owned()))?;
        if let Some(server) = server {
            server.trim_end_matches('/').clone_into(&mut target.server);
        }
        target.dial = Some(settings.listen.to_string());
        // Whoever may not read it is told so by the API.
        let admin = paths.admin_token();
        target.token = std::fs::read_to_string(&admin).ok().map(|text| Secret::new(text.trim()));
        if target.token.is_some() {
            target.token_from = admin.display().to_string();
        }
        Ok(target)
    }

    fn new(server: &str, origin: Origin) -> Result<Self, Failure> {
        let endpoint: Endpoint =
            server.parse().map_err(|error| Failure::Usage(format!("{origin}: {error}")))?;
        let dial = match &endpoint {
            // RFC 6761 section 6.3: such names are the loopback, whatever the resolver knows.
            Endpoint::Tcp(authority) | Endpoint::Tls(authority) => authority
                .rsplit_once(':')
                .filter(|(name, _)| *name == "localhost" || name.ends_with(".localhost"))
                .map(|(_, port)| format!("127.0.0.1:{port}")),
            Endpoint::Unix(_) => None,
        };
        let server = server.trim_end_matches('/').to_owned();
        let token_from = "none".to_owned();
        Ok(Self { server, endpoint, dial, token: None, token_from, ca_file: None, origin })
    }

    /// The name to call the server by (`Host`).
    pub(crate) fn host(&self) -> String {
        let rest = self.server.strip_prefix("http://").or(self.server.strip_prefix("https://"));
        rest.unwrap_or("localhost").to_owned()
    }
}

/// The token in a file; `from` is what named the file.
///
/// # Errors
/// When it can't be read or has no token.
pub(crate) fn token_in(path: &Path, from: &str) -> Result<Secret, Failure> {
    let wrong =
        |what: &dyn fmt::Display| Failure::Usage(format!("{from} {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(wrong(&"one token is wanted, and nothing else"));
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests;
