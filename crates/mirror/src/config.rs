//! What the mirror is told when it is opened. Nothing here reads a file or a variable.

use std::path::PathBuf;

use aipress_kit::http::outgoing::Outgoing;
use aipress_kit::http::outgoing::Trust;
use aipress_kit::http::outgoing::any_address;
use aipress_kit::http::outgoing::public_only;

/// The mirror of plugins and themes.
#[derive(Debug, Clone)]
pub struct PackagesConfig {
    /// Folder of its archives; made when it is not there.
    pub dir: PathBuf,
    /// Address of the directory that it gets archives from, such as `https://api.wordpress.org`.
    pub directory: String,
    /// Calls the directory, which the operator chose.
    pub inside: Outgoing,
    /// Calls addresses that customers chose: public ones only.
    pub outside: Outgoing,
}

impl PackagesConfig {
    /// A mirror in `dir`, of `directory`, that trusts the system's authorities.
    pub fn new(dir: PathBuf, directory: String) -> Self {
        Self {
            dir,
            directory,
            inside: Outgoing::new(&Trust::System, any_address),
            outside: Outgoing::new(&Trust::System, public_only),
        }
    }
}
