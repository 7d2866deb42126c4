//! Secrets and signatures, after the Standard Webhooks convention: `webhook-id`,
//! `webhook-timestamp` and `webhook-signature: v1,BASE64`, where the signature is the HMAC-SHA256
//! of `id.timestamp.body` under the secret's bytes.

use aipress_kit::random;
use aipress_kit::random::RandomError;
use aipress_types::Secret;
use aipress_types::WebhookId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;

/// In front of a secret, so that people and scanners know what it is.
const PREFIX: &str = "whsec_";

/// A fresh secret: 32 random bytes in base64.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn secret() -> Result<Secret, RandomError> {
    Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(random::bytes::<32>()?))))
}

/// Where the registry keeps it, for sealing.
pub fn place(id: WebhookId) -> String {
    format!("webhooks/{id}/secret")
}

/// The field `webhook-signature`: one signature for each secret, with spaces between them.
pub fn signatures<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let signed = secrets.into_iter().filter_map(|secret| {
        let key = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_other_programs_compute() {
        // openssl: printf 'msg_1.1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef -binary | base64
        let secret = Secret::new("whsec_MDEyMzQ1Njc4OWFiY2RlZg==".to_owned());
        let one = signatures([&secret], "msg_1", 1_700_000_000, b"{\"a\":1}");
        assert_eq!(one, "v1,41C4mdfM4X7k7EqLRBhc2OjUAQFwQVsqMUoL0CbTfxc=");
        let two = signatures([&secret, &secret], "msg_1", 1_700_000_000, b"{\"a\":1}");
        assert_eq!(two, format!("{one} {one}"));
    }

    #[test]
    fn secrets_differ_and_can_be_used() {
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert_ne!(one.expose(), two.expose());
        assert_ne!(signatures([&one], "x", 1, b""), signatures([&two], "x", 1, b""));
    }
}
