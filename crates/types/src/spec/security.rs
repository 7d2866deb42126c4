//! What a site is hardened by. `php/mu-plugins/aipress/security.php` does it.

use serde::Deserialize;
use serde::Serialize;

use super::FieldError;

/// Measures that harden a site; each holds unless its document says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecuritySpec {
    /// XML-RPC; `limited` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmlrpc: Option<XmlRpc>,
    /// Whether strangers may list the site's users, and learn at the sign-in form which names
    /// exist; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_enumeration: Option<bool>,
    /// Whether wp-admin has its editor of plugins' and themes' files; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_editing: Option<bool>,
    /// Who may write HTML that is not filtered; `administrators` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfiltered_html: Option<UnfilteredHtml>,
    /// Whether pages carry `X-Content-Type-Options`, `Referrer-Policy` and `Content-Security-Policy:
    /// frame-ancestors 'self'`; true when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<bool>,
    /// Where application passwords work; `secure` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_passwords: Option<ApplicationPasswords>,
    /// Whether PHP below `wp-content/uploads` is run when a visitor asks for it; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub php_in_uploads: Option<bool>,
    /// Sign-ins that may fail within 15 minutes from one address before it has to wait, 0 to 100;
    /// 0 is no limit; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub login_attempts: Option<u32>,
}

/// What XML-RPC (`xmlrpc.php`) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum XmlRpc {
    /// What apps need, without pingbacks.
    Limited,
    /// Everything that WordPress has.
    Full,
    /// Nothing: it answers 403.
    Disabled,
}

/// Who has WordPress's capability `unfiltered_html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnfilteredHtml {
    /// Who may manage options.
    Administrators,
    /// Editors, too, as WordPress has it.
    Editors,
    /// Nobody.
    Nobody,
}

/// Where application passwords are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApplicationPasswords {
    /// Over TLS, and from the machine itself.
    Secure,
    /// Everywhere, in clear as well.
    Always,
    /// Nowhere.
    Never,
}

/// Most failed sign-ins that a document may let pass.
const ATTEMPTS_MAX: u32 = 100;

impl SecuritySpec {
    /// Whether every measure is as it is for every site.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, base: &str, errors: &mut Vec<FieldError>) {
        if let Some(asked) = self.login_attempts
            && asked > ATTEMPTS_MAX
        {
            errors.push(FieldError::new(
                format!("{base}/loginAttempts"),
                format!("{asked} is too many: 1 to {ATTEMPTS_MAX}, or 0 for no limit"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `php/mu-plugins/aipress/security.php` knows these words, but for `phpInUploads`, which is the
    /// gateway's.
    #[test]
    fn measures_have_the_words_that_php_reads() {
        let written = serde_json::json!({
            "xmlrpc": "limited", "userEnumeration": false, "fileEditing": true,
            "unfilteredHtml": "nobody", "headers": false, "applicationPasswords": "secure",
            "phpInUploads": true, "loginAttempts": 3,
        });
        let read: SecuritySpec = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
        assert!(!read.is_default() && SecuritySpec::default().is_default());
    }

    #[test]
    fn attempts_are_bounded() {
        let mut errors = Vec::new();
        let asked = |login_attempts| SecuritySpec { login_attempts, ..SecuritySpec::default() };
        asked(Some(101)).check("/spec/security", &mut errors);
        assert_eq!(errors[0].pointer, "/spec/security/loginAttempts");
        errors.clear();
        asked(Some(0)).check("/spec/security", &mut errors);
        asked(Some(100)).check("/spec/security", &mut errors);
        assert_eq!(errors, []);
    }
}
