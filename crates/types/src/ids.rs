//! Typed ids, one registry, alphabetical. UUIDv4 ids are never reused; ids of shards and projects
//! are names of the form that `facts.md` gives.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

/// Text that is not a valid id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id as 32 hex digits without dashes (for database names and keys).
            pub fn hex(&self) -> String {
                self.0.simple().to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { kind: $kind, text: text.to_owned() };
                // Only the hyphenated lower-case form, so that one id has one spelling.
                let uuid = Uuid::try_parse(text).map_err(|_| wrong())?;
                if uuid.hyphenated().to_string() != text {
                    return Err(wrong());
                }
                Ok(Self(uuid))
            }
        }
    };
}

uuid_id!(
    /// A customer: owns tenants.
    AccountId, "account id"
);
uuid_id!(
    /// One event on its way to one webhook.
    DeliveryId, "delivery id"
);
uuid_id!(
    /// A long-running change that somebody may wait for.
    OperationId, "operation id"
);
uuid_id!(
    /// One site, for ever: never reused, in paths, databases and cache keys.
    TenantUid, "tenant uid"
);
uuid_id!(
    /// An API token (not its secret).
    TokenId, "token id"
);
uuid_id!(
    /// A person or machine that signs in.
    UserId, "user id"
);
uuid_id!(
    /// An address that is told of events.
    WebhookId, "webhook id"
);

/// A shard: `aipress-shard-001` and so on (three digits, more when needed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(u32);

impl ShardId {
    /// The shard with this 1-based number. `None` for 0.
    pub fn from_number(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The 1-based number.
    pub fn number(&self) -> u32 {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aipress-shard-{:03}", self.0)
    }
}

impl FromStr for ShardId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix("aipress-shard-")
            .and_then(|digits| digits.parse().ok())
            .and_then(Self::from_number)
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| IdError { kind: "shard id", text: text.to_owned() })
    }
}

impl Serialize for ShardId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ShardId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The cloud project (on one machine: the directory) that a shard lives in. A shard's project
/// has the shard's id; `aipress-control-meta` and `aipress-shared-services` are the other two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub String);

impl ProjectId {
    /// The project of the meta control plane.
    pub fn control_meta() -> Self {
        Self("aipress-control-meta".to_owned())
    }

    /// The project of services that all shards share.
    pub fn shared_services() -> Self {
        Self("aipress-shared-services".to_owned())
    }

    /// The project of one shard: the same id as the shard.
    pub fn of_shard(shard: ShardId) -> Self {
        Self(shard.to_string())
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_ids_have_three_digits_and_more_when_needed() {
        for (number, text) in
            [(1, "aipress-shard-001"), (42, "aipress-shard-042"), (1000, "aipress-shard-1000")]
        {
            let id = ShardId::from_number(number).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse::<ShardId>().unwrap(), id);
        }
    }

    #[test]
    fn one_id_has_one_spelling() {
        for bad in ["aipress-shard-1", "aipress-shard-0001", "aipress-shard-000", "shard-001", ""] {
            assert!(bad.parse::<ShardId>().is_err(), "{bad}");
        }
        for bad in [
            "F47AC10B-58CC-4372-A567-0E02B2C3D479",
            "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
            "f47ac10b58cc4372a5670e02b2c3d479",
        ] {
            assert!(bad.parse::<TenantUid>().is_err(), "{bad}");
        }
    }
}
