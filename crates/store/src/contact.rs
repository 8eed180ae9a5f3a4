//! People whose ids at a platform change, and whom it may be allowed to write to for a time only.

use konstruct_domain::delivery::Contact;
use konstruct_domain::{ConnectionName, ConversationId, TenantId};
use sqlx::PgConnection;

use crate::delivery::seconds;
use crate::{Result, Store};

/// Contacts of one connection are written one after the other, so that two first messages of a person are one contact.
const LOCK: i32 = 0x636f_6e74;

impl Store {
    /// Takes in what a message tells about its author, and returns the key of their conversation.
    pub async fn meet(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        seen: &Contact,
    ) -> Result<String> {
        let mut transaction = self.begin(tenant).await?;
        lock(&mut transaction, tenant, connection).await?;
        let known = find(&mut transaction, connection, seen).await?;
        let key = match known {
            Some(key) => key,
            None => fresh_key(&mut transaction, connection, seen).await?,
        };
        wake(&mut transaction, tenant, connection, &key).await?;
        write(&mut transaction, connection, &key, seen).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// A person goes by new ids. Somebody nobody has heard of is not taken in.
    pub async fn rename(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        previous: &Contact,
        current: &Contact,
    ) -> Result<bool> {
        let mut transaction = self.begin(tenant).await?;
        lock(&mut transaction, tenant, connection).await?;
        let Some(key) = find(&mut transaction, connection, previous).await? else { return Ok(false) };
        write(&mut transaction, connection, &key, current).await?;
        transaction.commit().await?;
        Ok(true)
    }

    pub async fn contact(
        &self,
        tenant: TenantId,
        connection: &ConnectionName,
        key: &str,
    ) -> Result<Option<Contact>> {
        let mut transaction = self.begin(tenant).await?;
        let row = sqlx::query!(
            r#"select user_id, phone, extract(epoch from window_until)::bigint as "window_until?"
               from konstruct.contact where connection = $1 and contact_key = $2"#,
            connection.as_str(),
            key
        )
        .fetch_optional(&mut *transaction)
        .await?;
        Ok(row.map(|row| Contact {
            key: key.to_owned(),
            user_id: row.user_id,
            phone: row.phone,
            window_until: row.window_until,
        }))
    }
}

async fn lock(transaction: &mut PgConnection, tenant: TenantId, connection: &ConnectionName) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock($1, hashtext($2))",
        LOCK,
        format!("{tenant}/{}", connection.as_str())
    )
    .execute(transaction)
    .await?;
    Ok(())
}

/// By the person's id, else by the number. A number whose contact has another id belongs to somebody else now.
async fn find(
    transaction: &mut PgConnection,
    connection: &ConnectionName,
    seen: &Contact,
) -> Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select contact_key from konstruct.contact
         where connection = $1
         and (user_id = $2 or (phone = $3 and ($2::text is null or user_id is null)))
         order by (user_id is not distinct from $2) desc limit 1",
        connection.as_str(),
        seen.user_id,
        seen.phone
    )
    .fetch_optional(transaction)
    .await?;
    Ok(found)
}

/// The id that the person goes by, unless somebody who went by it before has it as key.
async fn fresh_key(
    transaction: &mut PgConnection,
    connection: &ConnectionName,
    seen: &Contact,
) -> Result<String> {
    let wanted = seen.user_id.as_deref().or(seen.phone.as_deref()).unwrap_or(&seen.key);
    let taken = sqlx::query_scalar!(
        r#"select count(*) as "count!" from konstruct.contact
           where connection = $1 and (contact_key = $2 or starts_with(contact_key, $2 || '#'))"#,
        connection.as_str(),
        wanted
    )
    .fetch_one(transaction)
    .await?;
    Ok(if taken == 0 { wanted.to_owned() } else { format!("{wanted}#{taken}") })
}

/// Replies that wait for a closed window to open are due, also those that are just being tried.
async fn wake(
    transaction: &mut PgConnection,
    tenant: TenantId,
    connection: &ConnectionName,
    key: &str,
) -> Result<()> {
    sqlx::query!(
        "update konstruct.outbox set due_at = clock_timestamp()
         where conversation_id = $1 and state = 'pending'
         and exists (select from konstruct.contact
                     where connection = $2 and contact_key = $3 and window_until < now())",
        ConversationId::derive(tenant, connection, key).as_uuid(),
        connection.as_str(),
        key
    )
    .execute(transaction)
    .await?;
    Ok(())
}

async fn write(
    transaction: &mut PgConnection,
    connection: &ConnectionName,
    key: &str,
    seen: &Contact,
) -> Result<()> {
    sqlx::query!(
        "update konstruct.contact set
             user_id = case when user_id = $3 then null else user_id end,
             phone = case when phone = $4 then null else phone end
         where connection = $1 and contact_key <> $2 and (user_id = $3 or phone = $4)",
        connection.as_str(),
        key,
        seen.user_id,
        seen.phone
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "insert into konstruct.contact as c (connection, contact_key, user_id, phone, window_until)
         values ($1, $2, $3, $4, to_timestamp($5::bigint))
         on conflict (tenant_id, connection, contact_key) do update
         set user_id = coalesce(excluded.user_id, c.user_id), phone = coalesce(excluded.phone, c.phone),
             window_until = greatest(excluded.window_until, c.window_until), updated_at = now()",
        connection.as_str(),
        key,
        seen.user_id,
        seen.phone,
        seconds(seen.window_until)
    )
    .execute(transaction)
    .await?;
    Ok(())
}
