//! `mail.*`: where the sites' mail goes.

use std::path::PathBuf;

use aipress_kit::http::outgoing::Trust;
use aipress_shard as shard;
use serde::Deserialize;
use serde::Serialize;

/// Where the sites' mail goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct MailSettings {
    /// The mail server, `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`; without one mail stays here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// Who signs in there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// File of the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// File of the authorities (PEM) that vouch for the server, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorities: Option<PathBuf>,
    /// Domain of the addresses that bounces go to; the base domain when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
}

impl MailSettings {
    /// As a shard is told.
    ///
    /// # Errors
    /// When something is wrong with them, in words.
    pub(crate) fn for_shard(&self, base_domain: &str) -> anyhow::Result<shard::MailSettings> {
        let server = self.server.as_deref().map(str::parse).transpose();
        let server = server.map_err(|error: String| anyhow::anyhow!("mail.server: {error}"))?;
        anyhow::ensure!(
            self.user.is_some() == self.password_file.is_some(),
            "mail.user and mail.passwordFile: set both or neither"
        );
        let domain = self.domain.as_deref().unwrap_or(base_domain);
        let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        anyhow::ensure!(
            !domain.is_empty() && domain.bytes().all(is_domain),
            "mail.domain is `{domain}`, must be a name such as mail.example.org"
        );
        Ok(shard::MailSettings {
            server,
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            trust: self.authorities.clone().map_or(Trust::System, Trust::File),
            domain: domain.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_before_anything_starts() {
        let with = |server: &str| MailSettings {
            server: Some(server.to_owned()),
            ..MailSettings::default()
        };
        assert!(with("smtp://127.0.0.1:25").for_shard("localhost").is_ok());
        let error = with("mail.example.org").for_shard("localhost").unwrap_err().to_string();
        assert!(error.contains("mail.server") && error.contains("smtps://"), "{error}");
        let half = MailSettings { user: Some("me".to_owned()), ..MailSettings::default() };
        assert!(half.for_shard("localhost").unwrap_err().to_string().contains("passwordFile"));
        let domain = MailSettings { domain: Some("a b".to_owned()), ..MailSettings::default() };
        assert!(domain.for_shard("localhost").is_err());
    }
}
