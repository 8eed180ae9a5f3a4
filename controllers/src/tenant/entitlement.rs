//! What a tenant may have: its plan, narrowed by what the Tenant says itself. Pure.

use std::fmt::Display;

use konstruct_crds::{Limits, PlanSpec, Quota, Reason, RuntimeSize, TenantSpec};
use konstruct_domain::Money;

use crate::Problem;
use crate::framework::quantity;

/// A tenant without a plan that says nothing itself.
const PODS: u16 = 10;
const CPU: &str = "2";
const MEMORY: &str = "2Gi";
const EPHEMERAL_STORAGE: &str = "2Gi";
const SECRETS: u16 = 100;
const CONFIG_MAPS: u16 = 20;

/// What a tenant may have, with every blank filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    pub limits: TenantLimits,
    pub quota: FullQuota,
    /// None: as the operator's settings say.
    pub runtime: Option<RuntimeSize>,
}

/// What is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    pub agents: Option<u16>,
    pub channels: Option<u16>,
    pub seats: Option<u16>,
    pub concurrent_turns: Option<u16>,
    pub tokens_per_month: Option<u64>,
    pub messages_per_minute: Option<u32>,
    pub spend_per_month: Option<Money>,
}

/// A quota without blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullQuota {
    pub pods: u16,
    pub cpu: String,
    pub memory: String,
    pub ephemeral_storage: String,
    pub secrets: u16,
    pub config_maps: u16,
}

/// The Tenant's own word counts where it asks for less than the plan, or may exceed it; else it is a problem.
pub fn entitlement(tenant: &TenantSpec, plan: Option<&PlanSpec>) -> Result<Entitlement, Vec<Problem>> {
    let nothing = PlanSpec { limits: Limits::default(), quota: Quota::default(), runtime: None };
    let PlanSpec { limits, quota, runtime } = plan.unwrap_or(&nothing);
    let mut narrowing = Narrowing { may_exceed: tenant.exceed_plan || plan.is_none(), problems: Vec::new() };
    let entitlement = Entitlement {
        limits: narrowing.limits(&tenant.limits, limits),
        quota: narrowing.quota(&tenant.quota, quota),
        runtime: runtime.clone(),
    };
    if narrowing.problems.is_empty() { Ok(entitlement) } else { Err(narrowing.problems) }
}

struct Narrowing {
    may_exceed: bool,
    problems: Vec<Problem>,
}

impl Narrowing {
    fn limits(&mut self, own: &Limits, plan: &Limits) -> TenantLimits {
        // Named one by one: a field that nobody enforces does not compile.
        let Limits {
            agents,
            channels,
            seats,
            concurrent_turns,
            tokens_per_month,
            messages_per_minute,
            spend_per_month,
        } = own;
        TenantLimits {
            agents: self.count("spec.limits.agents", *agents, plan.agents),
            channels: self.count("spec.limits.channels", *channels, plan.channels),
            seats: self.count("spec.limits.seats", *seats, plan.seats),
            concurrent_turns: self.count(
                "spec.limits.concurrentTurns",
                *concurrent_turns,
                plan.concurrent_turns,
            ),
            tokens_per_month: self.count(
                "spec.limits.tokensPerMonth",
                *tokens_per_month,
                plan.tokens_per_month,
            ),
            messages_per_minute: self.count(
                "spec.limits.messagesPerMinute",
                *messages_per_minute,
                plan.messages_per_minute,
            ),
            spend_per_month: self.money(
                "spec.limits.spendPerMonth",
                spend_per_month.as_ref(),
                plan.spend_per_month.as_ref(),
            ),
        }
    }

    fn quota(&mut self, own: &Quota, plan: &Quota) -> FullQuota {
        // Named one by one: a field that nobody enforces does not compile.
        let Quota { pods, cpu, memory, ephemeral_storage, secrets, config_maps } = own;
        let text = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
        FullQuota {
            pods: self.count("spec.quota.pods", *pods, plan.pods).unwrap_or(PODS),
            cpu: text(self.amount("spec.quota.cpu", cpu.as_ref(), plan.cpu.as_ref()), CPU),
            memory: text(self.amount("spec.quota.memory", memory.as_ref(), plan.memory.as_ref()), MEMORY),
            ephemeral_storage: text(
                self.amount(
                    "spec.quota.ephemeralStorage",
                    ephemeral_storage.as_ref(),
                    plan.ephemeral_storage.as_ref(),
                ),
                EPHEMERAL_STORAGE,
            ),
            secrets: self.count("spec.quota.secrets", *secrets, plan.secrets).unwrap_or(SECRETS),
            config_maps: self
                .count("spec.quota.configMaps", *config_maps, plan.config_maps)
                .unwrap_or(CONFIG_MAPS),
        }
    }

    fn count<N: Copy + Ord + Display>(&mut self, field: &str, own: Option<N>, plan: Option<N>) -> Option<N> {
        if let (Some(own), Some(plan)) = (own, plan)
            && own > plan
        {
            self.above(field, &own.to_string(), &plan.to_string());
        }
        own.or(plan)
    }

    fn money(&mut self, field: &str, own: Option<&String>, plan: Option<&String>) -> Option<Money> {
        let mut read = |text: Option<&String>| match text?.parse::<Money>() {
            Ok(money) => Some(money),
            Err(error) => {
                let message = format!("{:?} {error}", text.map_or("", String::as_str));
                self.problems.push(Problem::new(Reason::InvalidSpec, field, message));
                None
            }
        };
        let (own, plan) = (read(own), read(plan));
        self.count(field, own, plan)
    }

    fn amount(&mut self, field: &str, own: Option<&String>, plan: Option<&String>) -> Option<String> {
        if let (Some(own), Some(plan)) = (own, plan)
            && quantity::milli(own) > quantity::milli(plan)
        {
            self.above(field, own, plan);
        }
        own.or(plan).cloned()
    }

    fn above(&mut self, field: &str, own: &str, plan: &str) {
        if !self.may_exceed {
            let message = format!(
                "{own} is more than the plan's {plan}: lower it, or ask the platform's administrator for a larger \
                 plan or for exceedPlan"
            );
            self.problems.push(Problem::new(Reason::AbovePlan, field, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> PlanSpec {
        serde_json::from_value(json!({
            "limits": {"agents": 10, "concurrentTurns": 4, "tokensPerMonth": 1_000_000, "messagesPerMinute": 60, "spendPerMonth": "10"},
            "quota": {"pods": 5, "cpu": "2", "memory": "2Gi"},
            "runtime": {"cpu": "250m", "memory": "64Mi"}
        }))
        .unwrap()
    }

    fn tenant(more: &serde_json::Value) -> TenantSpec {
        let mut spec = json!({"displayName": "Acme", "slug": "acme"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn the_plan_fills_in_what_the_tenant_leaves_open() {
        let found = entitlement(&tenant(&json!({})), Some(&plan())).unwrap();
        assert_eq!((found.limits.agents, found.limits.channels), (Some(10), None));
        assert_eq!(found.limits.tokens_per_month, Some(1_000_000));
        assert_eq!(found.limits.messages_per_minute, Some(60));
        assert_eq!(found.limits.spend_per_month.unwrap().to_string(), "10.00");
        assert_eq!((found.quota.pods, found.quota.cpu.as_str()), (5, "2"));
        assert_eq!(found.quota.secrets, SECRETS);
        assert_eq!(found.runtime.unwrap().memory, "64Mi");
    }

    #[test]
    fn a_tenant_may_be_narrowed_and_not_widened() {
        let narrowed = tenant(&json!({"limits": {"agents": 2, "channels": 3}, "quota": {"cpu": "500m"}}));
        let found = entitlement(&narrowed, Some(&plan())).unwrap();
        assert_eq!((found.limits.agents, found.limits.channels), (Some(2), Some(3)));
        assert_eq!(found.quota.cpu, "500m");

        let widened = json!({"limits": {"agents": 11, "tokensPerMonth": 1_000_001, "messagesPerMinute": 61, "spendPerMonth": "10.01"}, "quota": {"memory": "2049Mi", "pods": 6}});
        let problems = entitlement(&tenant(&widened), Some(&plan())).unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.limits.agents",
                "spec.limits.tokensPerMonth",
                "spec.limits.messagesPerMinute",
                "spec.limits.spendPerMonth",
                "spec.quota.pods",
                "spec.quota.memory"
            ]
        );
        assert!(problems.iter().all(|problem| problem.reason == Reason::AbovePlan));

        let mut allowed = tenant(&widened);
        allowed.exceed_plan = true;
        assert_eq!(entitlement(&allowed, Some(&plan())).unwrap().limits.agents, Some(11));
    }

    #[test]
    fn without_a_plan_the_tenant_has_its_own_word_and_the_defaults() {
        let found = entitlement(&tenant(&json!({"quota": {"pods": 50}})), None).unwrap();
        assert_eq!((found.quota.pods, found.quota.memory.as_str()), (50, MEMORY));
        assert_eq!(found.limits, TenantLimits::default());
    }
}
