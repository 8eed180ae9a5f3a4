//! What models cost, as the ai-gateway measured it.

use konstruct_domain::ids::ProviderName;
use konstruct_domain::snapshot::ProviderOwner;
use konstruct_domain::{AgentName, Money, TenantId};
use uuid::Uuid;

use crate::{Result, Store};

/// One call of a model that was forwarded to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    pub request_id: Uuid,
    pub agent: AgentName,
    pub owner: ProviderOwner,
    pub provider: ProviderName,
    pub model: String,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub cost: Money,
    pub outcome: &'static str,
}

/// What models have read and written for a tenant, and cost, in the calendar month (UTC) that PostgreSQL says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthlyUse {
    pub tokens: i64,
    pub cost_micros: i64,
    /// The first day of the next month, such as 2026-12-01.
    pub resets_on: String,
}

impl Store {
    pub async fn monthly_use(&self, tenant: TenantId) -> Result<MonthlyUse> {
        let mut transaction = self.begin(tenant).await?;
        // The sums are numeric: a provider may claim as much as a row can hold.
        let found = sqlx::query_as!(
            MonthlyUse,
            r#"select least(coalesce(sum(tokens), 0), 9223372036854775807)::bigint as "tokens!",
                 least(coalesce(sum(cost_micros), 0), 9223372036854775807)::bigint as "cost_micros!",
                 to_char(date_trunc('month', now() at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD') as "resets_on!"
             from konstruct.monthly_use where month = date_trunc('month', now() at time zone 'UTC')::date"#
        )
        .fetch_one(&mut *transaction)
        .await?;
        Ok(found)
    }

    /// Recording the same request twice counts it once, so a failed write can be tried again.
    pub async fn record_model_call(&self, tenant: TenantId, call: &ModelCall) -> Result<()> {
        let owner = match call.owner {
            ProviderOwner::Tenant => "tenant",
            ProviderOwner::Platform => "platform",
        };
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "with call as (
                 insert into konstruct.model_call
                     (request_id, agent, provider_owner, provider, model, tokens_in, tokens_out, outcome, cost_micros)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (tenant_id, request_id) do nothing
                 returning tokens_in, tokens_out, cost_micros, called_at)
             insert into konstruct.monthly_use as month (month, tokens, cost_micros)
             select date_trunc('month', called_at at time zone 'UTC')::date, tokens_in::numeric + tokens_out, cost_micros
             from call
             on conflict (tenant_id, month) do update
             set tokens = month.tokens + excluded.tokens, cost_micros = month.cost_micros + excluded.cost_micros",
            call.request_id,
            call.agent.as_str(),
            owner,
            call.provider.as_str(),
            call.model,
            call.tokens_in,
            call.tokens_out,
            call.outcome,
            i64::try_from(call.cost.micros()).unwrap_or(i64::MAX)
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
