//! Identifiers. A value of one of these types is valid; there is no other way to make one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest slug. `kt-<slug>` stays a DNS label and `kt_<slug>` a PostgreSQL identifier (63 bytes each)
/// with room for suffixes.
pub const SLUG_MAX: usize = 40;

/// How the names of tenants' namespaces begin. The slug follows.
pub const NAMESPACE_PREFIX: &str = "kt-";

/// Slugs that would read as part of the platform.
const RESERVED_SLUGS: [&str; 6] =
    ["default", "konstruct", "konstruct-system", "kube-system", "platform", "system"];

/// The tenant a row, a key or a message belongs to: the UID of the Tenant object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(Uuid);

impl TenantId {
    /// Owner of what the platform shares with tenants, such as LLMProviders in the operator's namespace.
    pub const PLATFORM: Self = Self(Uuid::nil());

    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The id of a tenant that no API server has given a UID: `konstruct dev` derives it from the slug.
    pub fn from_slug(slug: &Slug) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{slug}.tenant.konstruct.dev").as_bytes()))
    }

    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TenantId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Why a name was refused. The text says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("is empty: write 1 to {max} lower-case letters, digits or hyphens")]
    Empty { max: usize },
    #[error("has {length} characters: write at most {max}")]
    TooLong { length: usize, max: usize },
    #[error(
        "has the character {character:?}: use lower-case letters, digits and hyphens, starting and ending with a letter or digit"
    )]
    Character { character: char },
    #[error("is reserved: choose another name than {name:?}")]
    Reserved { name: String },
}

/// Checks RFC 1123's rule for a label, with an own length limit.
fn check_dns_label(text: &str, max: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty { max });
    }
    let bad = |character: &char| !matches!(character, 'a'..='z' | '0'..='9' | '-');
    if let Some(character) = text.chars().find(bad) {
        return Err(InvalidName::Character { character });
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(InvalidName::Character { character: '-' });
    }
    if text.len() > max {
        return Err(InvalidName::TooLong { length: text.len(), max });
    }
    Ok(())
}

/// A tenant's short name, unique in the installation and never changed: names of everything the tenant owns
/// outside its namespace are derived from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant's Kubernetes namespace.
    pub fn namespace(&self) -> String {
        format!("{NAMESPACE_PREFIX}{}", self.0)
    }

    /// Of the tenant whose a namespace is by its name.
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        namespace.strip_prefix(NAMESPACE_PREFIX)?.parse().ok()
    }

    /// The tenant's PostgreSQL login role. A slug has no underscore, so two slugs never share a role.
    pub fn database_role(&self) -> String {
        format!("kt_{}", self.0.replace('-', "_"))
    }

    /// The tenant's Redis user.
    pub fn cache_user(&self) -> String {
        format!("kt-{}", self.0)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check_dns_label(&text, SLUG_MAX)?;
        if RESERVED_SLUGS.contains(&text.as_str()) {
            return Err(InvalidName::Reserved { name: text });
        }
        Ok(Self(text))
    }
}

impl FromStr for Slug {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest name of an object that one of ours refers to (an RFC 1123 label).
pub const NAME_MAX: usize = 63;

macro_rules! object_name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                check_dns_label(&text, NAME_MAX)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

object_name!(
    /// The name of an Agent within its tenant.
    AgentName
);
object_name!(
    /// The name of a ChannelConnection within its tenant.
    ConnectionName
);
object_name!(
    /// The name of an LLMProvider within its tenant or among the platform's.
    ProviderName
);

/// One conversation with one person or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversationId(Uuid);

impl ConversationId {
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The same conversation key of the same connection is the same conversation, whichever process asks first.
    pub fn derive(tenant: TenantId, connection: &ConnectionName, key: &str) -> Self {
        Self(Uuid::new_v5(&tenant.as_uuid(), format!("conversation/{connection}/{key}").as_bytes()))
    }

    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reply, named before it is sent: the same turn over the same messages names the same reply, so a turn that is
/// run again after a crash cannot answer twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplyId(Uuid);

impl ReplyId {
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The reply to the messages up to `last_inbox_id` of a conversation.
    pub fn derive(conversation: ConversationId, last_inbox_id: i64) -> Self {
        Self(Uuid::new_v5(&conversation.as_uuid(), format!("reply/{last_inbox_id}").as_bytes()))
    }

    /// What a conversation is told about a pause: the same id, and so one message, for the whole pause.
    pub fn of_pause(conversation: ConversationId, pause: &str) -> Self {
        Self(Uuid::new_v5(&conversation.as_uuid(), format!("pause/{pause}").as_bytes()))
    }

    /// What a conversation is told about one matter, such as a limit or the business hours: once in each period of it.
    pub fn of_notice(conversation: ConversationId, matter: &str, period: &str) -> Self {
        Self(Uuid::new_v5(&conversation.as_uuid(), format!("notice/{matter}/{period}").as_bytes()))
    }

    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ReplyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_dns_labels_with_room_for_prefixes() {
        for good in ["a", "acme", "a-b", "0x", &"a".repeat(SLUG_MAX)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(SLUG_MAX + 1);
        for bad in ["", "-a", "a-", "A", "a_b", "ä", "a/b", "..", "platform", "konstruct-system", &too_long]
        {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn different_slugs_never_share_a_derived_name() {
        let (one, two): (Slug, Slug) = ("a-b".parse().unwrap(), "ab".parse().unwrap());
        assert_ne!(one.database_role(), two.database_role());
        assert_eq!(one.database_role(), "kt_a_b");
        assert_eq!(one.namespace(), "kt-a-b");
        assert_eq!(Slug::of_namespace("kt-a-b"), Some(one));
        for nobodys in ["a-b", "kt-", "kt-A", "kt-a/b", "kt-platform"] {
            assert_eq!(Slug::of_namespace(nobodys), None, "{nobodys}");
        }
    }

    #[test]
    fn the_reply_to_the_same_messages_has_the_same_id() {
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let conversation = ConversationId::derive(tenant, &"slack".parse().unwrap(), "C1:1.2");
        assert_eq!(ReplyId::derive(conversation, 7), ReplyId::derive(conversation, 7));
        assert_ne!(ReplyId::derive(conversation, 7), ReplyId::derive(conversation, 8));
    }
}
