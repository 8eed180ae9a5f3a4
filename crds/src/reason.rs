//! Why a condition is what it is: a closed set of words, each with its meaning and what to do.

use std::fmt;
use std::str::FromStr;

macro_rules! reasons {
    ($($name:ident: $meaning:literal, $remedy:literal;)*) => {
        /// A condition's reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(
                #[doc = $meaning]
                #[doc = ""]
                #[doc = $remedy]
                $name,
            )*
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What it says about the object.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }

            /// What the reader should do next.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                }
            }
        }
    };
}

reasons! {
    Succeeded: "The condition is as it should be.", "Nothing.";
    Pending: "The operator has not looked at the object yet.",
        "Wait; if it lasts, see that the operator runs and has the lease: kubectl -n konstruct-system get pods,leases.";
    Reconciling: "The operator is working on the latest change.", "Wait; the message says for what.";
    Deleting: "The object is being deleted and what it made is being removed.", "Wait; the message says for what.";

    InvalidSpec: "A field has a value that the schema allows but that cannot work.",
        "Correct the field that the message names.";
    NotInTenantNamespace: "The object is in a namespace that belongs to no tenant.",
        "Create it in the namespace of a Tenant, kt- and its slug; shared LLMProviders belong into the operator's namespace.";
    SlugConflict: "Another Tenant has the same slug: the one whose namespace stands, else the older one.",
        "Choose another slug for this Tenant.";
    NamespaceConflict: "The tenant's namespace exists already and was not made for this Tenant. It was not touched.",
        "Choose another slug, or delete that namespace if nothing in it is needed.";
    NamespaceMissing: "The tenant's namespace does not exist, and this installation works in namespaces that it is given.",
        "Ask the platform's administrator to create the namespace with the operator's rights in it: rbac.namespaced in docs/install-helm.md.";
    NamespaceTerminating: "The tenant's namespace is still being deleted.",
        "Wait; if it lasts, look at the namespace's own conditions for what blocks it.";

    MissingPlan: "The Plan that the tenant names does not exist. What was set up keeps working.",
        "Create the Plan or correct spec.plan.";
    AbovePlan: "The tenant asks for more than its plan allows.",
        "Lower the field that the message names, or ask for a larger plan.";
    PlanExceeded: "There are more objects of the kind than the tenant's limits allow. The oldest ones work.",
        "Delete what is not needed, or ask for a larger plan.";
    HostNotResolved: "A host of spec.extraEgress could not be looked up. Addresses that were found before stay open.",
        "Correct the name, or wait until DNS answers; the operator looks again every minute.";
    AddressRefused: "A host of spec.extraEgress has addresses that are not public. They stay shut.",
        "Name a host with public addresses, or correct its DNS records.";
    NoRoomForPod: "The quota of the tenant's namespace has no room for another pod of an agent's own. Older agents have theirs.",
        "Ask for a larger quota, delete an older dedicated agent, or set the Agent's spec.isolation to Shared.";
    TenantSuspended: "The tenant is suspended: nothing runs, and messages wait.",
        "Set the Tenant's spec.state to Active.";
    TenantArchived: "The tenant is archived: nothing runs and no message is taken in.",
        "Set the Tenant's spec.state to Active.";

    MissingAgent: "The Agent that the connection names does not exist in this namespace.",
        "Create the Agent or correct spec.agent.";
    AgentNotReady: "The Agent that the connection names has not been compiled yet.",
        "Look at the conditions of that Agent.";
    MissingBusinessFunction: "The Agent that is connected with WhatsApp does not say what it does for the business, which WhatsApp's terms ask for.",
        "Set spec.businessFunction of that Agent.";
    MissingProvider: "No LLMProvider of that name exists in this namespace or among the shared ones.",
        "Create the LLMProvider or correct the entry of spec.models.";
    ProviderNotReady: "The LLMProvider that the agent names has not been compiled yet.",
        "Look at the conditions of that LLMProvider.";
    ProviderNotAllowed: "The shared LLMProvider of that name does not allow this tenant.",
        "Ask the platform's administrator to add the tenant to allowedTenants, or name another provider.";
    UnknownModel: "The LLMProvider does not list the model that the agent names.",
        "Name a model of the provider's spec.models, or add it there.";
    MissingSecret: "The Secret that the spec names does not exist in this namespace.",
        "Create the Secret or correct the reference.";
    MissingSecretKey: "The Secret exists but has no such key.", "Add the key to the Secret or correct the reference.";
    InvalidSecret: "The Secret's value cannot be what the field needs.",
        "Store the right value; the message says what is expected.";
    AccountConflict: "An older ChannelConnection has the same channel account. The older one keeps it.",
        "Delete the other connection first, or connect another workspace.";

    WaitingForRuntime: "The tenant's runtime pod does not run yet.",
        "Wait; if it lasts, look at the pods and events of the tenant's namespace.";
    RuntimeStopped: "The tenant is being deleted and nothing of it runs any more: its namespace can go.",
        "Wait; if it lasts, look at the log of the operator's provisioner.";
    WaitingForLoad: "The latest revision is published, but the role that serves it has not loaded it yet.",
        "Wait; if it lasts, look at the readiness of that role.";
    ApplyFailed: "The Kubernetes API refused an object that the operator wanted to write.",
        "Read the message; the operator tries again by itself.";
    DatabaseUnavailable: "PostgreSQL cannot be reached or refused.", "Restore PostgreSQL; the operator tries again by itself.";
    CacheUnavailable: "Redis cannot be reached or refused.", "Restore Redis; the operator tries again by itself.";

    NotObservedYet: "Nothing has used the object since its last change.", "Send a message; the next use decides.";
    CredentialsAccepted: "The platform or provider accepted the credentials when they were last used.", "Nothing.";
    CredentialsRejected: "The platform or provider refused the credentials.",
        "Store a valid credential in the Secret that the spec names.";
    AccountServes: "The platform let the account be used when it was last used.", "Nothing.";
    AccountRestricted: "The platform restricts the channel account, or warns that it will.",
        "Read the message and put it right with the platform: payment, quality or a policy.";
    ProviderAnswered: "The provider answered when it was last asked.", "Nothing.";
    ProviderUnreachable: "The provider could not be reached, took too long or answered with a server error.",
        "Check the address, the network and the provider's own status page.";
    ScriptedNotAllowed: "This installation does not allow scripted providers.",
        "Use a real provider, or start the ai-gateway with the flag that allows scripted ones.";
    ModelAnswered: "A model answered the agent's last turn.", "Nothing.";
    AllProvidersFailed: "No provider of the agent's chain answered the last turn. The person was told so.",
        "Look at the conditions of the LLMProviders in spec.models.";
    ProviderRejected: "A provider refused the request of the last turn and would refuse it again.",
        "Check the model's name and its limits in spec.models; the message has the provider's words.";
    TokensUsedUp: "The models have read and written as much for the tenant as its plan allows in a month. People are told so.",
        "Wait for the day that the message names, or raise limits.tokensPerMonth of the Tenant or its Plan.";
    SpendUsedUp: "The models have cost as much for the tenant as its plan allows in a month. People are told so.",
        "Wait for the day that the message names, or raise limits.spendPerMonth of the Tenant or its Plan.";
    AiGatewayUnreachable: "The tenant's runtime could not reach the ai-gateway.",
        "Check that the ai-gateway's pods run and are ready, and the network policies between them.";
    AiGatewayFailing: "The ai-gateway answered with an error of its own.",
        "Look at the readiness and the log of the ai-gateway.";
    RuntimeNotAuthorized: "The ai-gateway did not accept the runtime's token.",
        "Check that the Tenant is Ready and that the runtime's pod has its projected token.";
    AgentNotLoaded: "The ai-gateway did not know the agent when its runtime asked.",
        "Wait; if it lasts, look at the readiness of the ai-gateway.";
    RequestRefused: "The ai-gateway refused the runtime's request.", "Run all roles in the same version.";
    ProbesPassed: "Every probe of `konstruct verify isolation` was refused what it must be, and allowed what it needs.",
        "Nothing; run it again after an upgrade or a change of the cluster.";
    IsolationBreached: "A probe of `konstruct verify isolation` could do what it must not.",
        "Run `konstruct verify isolation` for this tenant: its table says what is open and where.";
    ProbesSkipped: "Some probes of `konstruct verify isolation` could not run, so nothing is known about their claims.",
        "Run `konstruct verify isolation` for this tenant: its table says what each of them needs.";
    ModelUnavailable: "The agent's last turn got no answer from a model.", "Read the message.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reason that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a reason of konstruct.dev/v1alpha1")]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_and_is_documented() {
        for &reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert!(reason.meaning().ends_with('.'), "{reason}");
            assert!(reason.remedy().ends_with('.'), "{reason}");
            assert!(reason.as_str().len() <= 64, "{reason}");
        }
    }
}
