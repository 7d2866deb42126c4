//! Which certificate authorities are trusted, and the TLS settings that follow.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Where distributions keep the authorities that they trust: Debian and Ubuntu, Fedora and Red
/// Hat, openSUSE, Alpine.
const SYSTEM_LISTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which authorities vouch for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of the system (package `ca-certificates`), which its administrator may add to.
    System,
    /// Those of this file, in PEM, and no others.
    File(PathBuf),
}

/// The settings; the error is for people.
pub(crate) fn config(trust: &Trust) -> Result<Arc<ClientConfig>, String> {
    let file = match trust {
        Trust::File(path) => path.clone(),
        Trust::System => SYSTEM_LISTS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or("no certificate authorities on this machine: install `ca-certificates`")?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities(&file)?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let unreadable = |error: &dyn std::fmt::Display| {
        format!("certificate authorities {}: {error}", file.display())
    };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
    let mut roots = RootCertStore::empty();
    // One that is damaged or too old for us does not take the others away.
    roots.add_parsable_certificates(found.filter_map(Result::ok));
    if roots.is_empty() { Err(unreadable(&"there is no certificate in it")) } else { Ok(roots) }
}
