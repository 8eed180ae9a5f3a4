//! Why no model answered.

use konstruct_domain::message::truncate;
use konstruct_domain::observation::{Condition, Observation};

/// Longest part of an ai-gateway's reason that is passed on into a condition.
const REASON_MAX: usize = 600;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("the ai-gateway was not reached: {0}")]
    Unreachable(&'static str),
    #[error("the ai-gateway answers with status {0}")]
    Failing(u16),
    #[error("the ai-gateway's answer could not be read: {0}")]
    Unreadable(String),
    #[error("the ai-gateway does not accept the runtime's token")]
    Unauthorized,
    #[error("the runtime's token could not be read: {0}")]
    Token(#[source] std::io::Error),
    #[error("the ai-gateway does not know the agent")]
    UnknownAgent,
    #[error("no provider of the agent's chain answered: {0}")]
    AllProvidersFailed(String),
    #[error("the provider rejected the request: {0}")]
    ProviderRejected(String),
    #[error("{message}")]
    UsedUp {
        of: Allowance,
        message: String,
        /// The day, such as 2026-12-01.
        resets_on: Option<String>,
    },
    #[error("the ai-gateway refused the request with status {status}: {message}")]
    Refused { status: u16, message: String },
}

/// What of a month may be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    Tokens,
    Spend,
}

impl Unavailable {
    pub(super) fn unreachable(error: &reqwest::Error) -> Self {
        Self::Unreachable(if error.is_timeout() {
            "it took too long"
        } else if error.is_connect() {
            "no connection could be made"
        } else {
            "the connection broke"
        })
    }

    /// Whether asking again within seconds may help. The ai-gateway has tried a provider's failure again already.
    pub(super) const fn may_pass_soon(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Failing(_) | Self::Unreadable(_) | Self::UnknownAgent)
    }

    /// Whether the ai-gateway itself does not work for us, whatever the providers do.
    pub(super) const fn is_of_the_ai_gateway(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Failing(_)
                | Self::Unreadable(_)
                | Self::Unauthorized
                | Self::Token(_)
        )
    }

    /// The reason of the condition and of the metric.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "AiGatewayUnreachable",
            Self::Failing(_) | Self::Unreadable(_) => "AiGatewayFailing",
            Self::Unauthorized | Self::Token(_) => "RuntimeNotAuthorized",
            Self::UnknownAgent => "AgentNotLoaded",
            Self::AllProvidersFailed(_) => "AllProvidersFailed",
            Self::ProviderRejected(_) => "ProviderRejected",
            Self::UsedUp { of: Allowance::Tokens, .. } => "TokensUsedUp",
            Self::UsedUp { of: Allowance::Spend, .. } => "SpendUsedUp",
            Self::Refused { .. } => "RequestRefused",
        }
    }

    /// What happened and what to do about it.
    pub(crate) fn advice(&self) -> String {
        let next = match self {
            Self::Unreachable(_) | Self::Failing(_) | Self::Unreadable(_) => {
                "check that the ai-gateway's pods run and are ready"
            }
            Self::Unauthorized | Self::Token(_) => {
                "check the runtime's projected token and that the Tenant is Ready"
            }
            Self::UnknownAgent => "check that the ai-gateway is ready; it loads agents from PostgreSQL",
            Self::AllProvidersFailed(_) => "check the LLMProviders named in spec.models",
            Self::ProviderRejected(_) => "check the model's name and limits in spec.models",
            // It says so itself.
            Self::UsedUp { .. } => return truncate(&self.to_string(), REASON_MAX).to_owned(),
            Self::Refused { .. } => "run the runtime and the ai-gateway in the same version",
        };
        format!("{}: {next}", truncate(&self.to_string(), REASON_MAX))
    }

    pub(crate) fn observation(&self) -> Observation {
        Observation {
            condition: Condition::ModelAvailable,
            ok: false,
            reason: self.reason().to_owned(),
            message: self.advice(),
        }
    }
}

/// What a success says.
pub(crate) fn available() -> Observation {
    Observation {
        condition: Condition::ModelAvailable,
        ok: true,
        reason: "ModelAnswered".to_owned(),
        message: "A model answered the last message.".to_owned(),
    }
}
