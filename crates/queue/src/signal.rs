//! What is signalled, and on which channel. A tenant's channels share its prefix, which its cache user is limited to.

use konstruct_domain::{ConversationId, TenantId};

/// The prefix of everything a tenant has in Redis.
pub(crate) fn prefix(tenant: TenantId) -> String {
    format!("kt:{tenant}:")
}

/// A wake-up: look again. All but one carry nothing to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A message was committed to the tenant's inbox.
    Inbox(TenantId),
    /// A reply was committed to the tenant's outbox, or one of its conversations has new lines.
    Outbox(TenantId),
    /// A snapshot of the tenant was put in force or withdrawn.
    Config(TenantId),
    /// Somebody recorded a loaded revision or an observation about the tenant's resources.
    Loaded(TenantId),
    /// A person wants no more of the answer that is being written in a conversation. Lost, it is written to its end.
    Stop(TenantId, ConversationId),
}

impl Signal {
    pub(crate) fn channel(self) -> String {
        let (tenant, topic) = match self {
            Self::Inbox(tenant) => (tenant, "inbox"),
            Self::Outbox(tenant) => (tenant, "outbox"),
            Self::Config(tenant) => (tenant, "config"),
            Self::Loaded(tenant) => (tenant, "loaded"),
            Self::Stop(tenant, _) => (tenant, "stop"),
        };
        format!("{}{topic}", prefix(tenant))
    }

    pub(crate) fn payload(self) -> String {
        match self {
            Self::Stop(_, conversation) => conversation.to_string(),
            _ => String::new(),
        }
    }

    pub(crate) fn read(channel: &str, payload: &[u8]) -> Option<Self> {
        let (tenant, topic) = channel.strip_prefix("kt:")?.split_once(':')?;
        let tenant = tenant.parse().ok()?;
        match topic {
            "inbox" => Some(Self::Inbox(tenant)),
            "outbox" => Some(Self::Outbox(tenant)),
            "config" => Some(Self::Config(tenant)),
            "loaded" => Some(Self::Loaded(tenant)),
            "stop" => Some(Self::Stop(tenant, conversation(payload)?)),
            _ => None,
        }
    }
}

fn conversation(payload: &[u8]) -> Option<ConversationId> {
    std::str::from_utf8(payload).ok()?.parse().ok().map(ConversationId::new)
}

/// What a role listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topics {
    /// A runtime: inbox and configuration of its tenant, and what is to be stopped.
    Tenant(TenantId),
    /// Outbox and configuration of all tenants.
    Gateway,
    /// Configuration of all tenants.
    AiGateway,
    /// What the data plane reports about all tenants.
    Operator,
}

impl Topics {
    /// Channels by name, and channels by pattern.
    pub(crate) fn channels(self) -> (Vec<String>, Vec<&'static str>) {
        match self {
            Self::Tenant(tenant) => {
                let all = ["inbox", "config", "stop"].map(|topic| format!("{}{topic}", prefix(tenant)));
                (all.into(), Vec::new())
            }
            Self::Gateway => (Vec::new(), vec!["kt:*:outbox", "kt:*:config"]),
            Self::AiGateway => (Vec::new(), vec!["kt:*:config"]),
            Self::Operator => (Vec::new(), vec!["kt:*:loaded"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_back_from_its_channel() {
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let conversation = ConversationId::derive(tenant, &"slack".parse().unwrap(), "C1:1.2");
        for signal in [
            Signal::Inbox(tenant),
            Signal::Outbox(tenant),
            Signal::Config(tenant),
            Signal::Loaded(tenant),
            Signal::Stop(tenant, conversation),
        ] {
            assert_eq!(Signal::read(&signal.channel(), signal.payload().as_bytes()), Some(signal));
        }
        let stop = Signal::Stop(tenant, conversation).channel();
        assert_eq!([Signal::read(&stop, b""), Signal::read(&stop, b"\xff")], [None, None]);
        for foreign in ["", "kt:", "kt:acme:inbox", "kt:00000000-0000-0000-0000-000000000000:else", "other"] {
            assert_eq!(Signal::read(foreign, b""), None, "{foreign}");
        }
    }
}
