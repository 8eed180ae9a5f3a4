//! Questions that are put to people with buttons, and their one answer each.

use std::time::Duration;

use konstruct_domain::{ConnectionName, TenantId};
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Store};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// Who is to act on the answer.
    pub purpose: &'a str,
    /// What it is about, for whoever acts on it.
    pub subject: &'a Value,
    /// What can be chosen. A button carries the place in this list.
    pub choices: &'a [&'a str],
    /// Ids of people at the platform. None: anybody who sees it.
    pub may_press: Option<&'a [&'a str]>,
    pub lasts: Duration,
}

/// What became of pressing a button.
#[derive(Clone, Debug, PartialEq)]
pub enum Pressed {
    /// It counts, and nothing else that is pressed for this offer does.
    Taken {
        purpose: String,
        subject: Value,
        choice: String,
    },
    /// Somebody, perhaps the same person, was quicker.
    TakenBefore,
    Expired,
    /// It is for others.
    NotAllowed,
    /// There is no such offer of this connection.
    Unknown,
}

impl Store {
    /// Records what is asked. The id goes into the buttons.
    pub async fn offer(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        offer: Offer<'_>,
    ) -> Result<Uuid> {
        let id = Uuid::new_v4();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let may_press = offer.may_press.map(owned);
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "insert into konstruct.offer (offer_id, connection, purpose, subject, choices, may_press, expires_at)
             values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))",
            id,
            connection.as_str(),
            offer.purpose,
            offer.subject,
            &owned(offer.choices),
            may_press.as_deref(),
            offer.lasts.as_secs_f64()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Takes an offer, with a record of who did. One statement: of two who press at once, one has taken it.
    pub async fn take_offer(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        id: Uuid,
        choice: u8,
        by: &str,
    ) -> Result<Pressed> {
        let mut transaction = self.begin(tenant).await?;
        let found = sqlx::query!(
            r#"with taken as (
                 update konstruct.offer set taken_at = now(), taken_by = $4, choice = choices[$3::integer]
                 where offer_id = $1 and connection = $2 and taken_at is null and expires_at > now()
                 and (may_press is null or $4 = any(may_press)) and choices[$3::integer] is not null
                 returning purpose, subject, choice
             ), audited as (
                 insert into konstruct.audit (actor, action, subject, detail)
                 select 'person/' || $2 || '/' || $4, 'offer.' || purpose, 'offer/' || $1::uuid,
                     jsonb_build_object('choice', choice)
                 from taken
             )
             select t.purpose as "purpose?", t.subject as "subject?", t.choice as "choice?",
                 choices[$3::integer] is not null as "known!",
                 (may_press is null or $4 = any(may_press)) as "allowed!",
                 taken_at is not null as "taken!", expires_at <= now() as "expired!"
             from konstruct.offer left join taken t on true
             where offer_id = $1 and connection = $2"#,
            id,
            connection.as_str(),
            i32::from(choice) + 1,
            by
        )
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let Some(found) = found.filter(|found| found.known) else { return Ok(Pressed::Unknown) };
        if let (Some(purpose), Some(subject), Some(choice)) = (found.purpose, found.subject, found.choice) {
            return Ok(Pressed::Taken { purpose, subject, choice });
        }
        Ok(match found {
            _ if !found.allowed => Pressed::NotAllowed,
            _ if found.taken => Pressed::TakenBefore,
            _ if found.expired => Pressed::Expired,
            // Taken at this very moment, which this statement does not see yet.
            _ => Pressed::TakenBefore,
        })
    }
}
