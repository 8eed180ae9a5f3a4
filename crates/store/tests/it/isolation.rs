//! No tenant reaches another's rows: proved for every table that the catalogue lists, as every role.

use konstruct_domain::Kind;
use konstruct_domain::delivery::{Contact, DeliveryStatus, Progress, ReplyPart};
use konstruct_domain::ids::ReplyId;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::snapshot::SecretField::{ProviderApiKey, SlackBotToken};
use konstruct_domain::snapshot::{ProviderOwner, Reader};
use konstruct_store::Store;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::world::{PASSWORD, World, message, web_chat};

/// Tables that hold no tenant's rows, each with the reason.
const NOT_A_TENANTS: [(&str, &str); 1] =
    [("tenant", "the directory: shared roles read it, runtimes have no grant")];

const SHARED_ROLES: [&str; 3] = ["konstruct_operator", "konstruct_gateway", "konstruct_ai_gateway"];

async fn connect(url: &SecretString) -> PgConnection {
    PgConnection::connect(url.expose_secret()).await.unwrap()
}

async fn tables(admin: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_class c where c.relnamespace = 'konstruct'::regnamespace
         and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1",
    )
    .fetch_all(admin)
    .await
    .unwrap()
    .into_iter()
    .filter(|table: &String| !NOT_A_TENANTS.iter().any(|(name, _)| name == table))
    .collect()
}

async fn query(
    connection: &mut PgConnection,
    sql: String,
) -> Result<Vec<sqlx::postgres::PgRow>, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await
}

/// One row of each table for globex, by the ordinary ways, so that there is something to steal.
pub(crate) async fn fill(world: &World) {
    let globex = &world.globex;
    let operator: &Store = &world.operator;
    operator.publish(globex.id, Kind::Agent, "ada", &json!({}), &[]).await.unwrap();
    let secret = |field| [(field, SecretString::from("value"))];
    operator
        .publish(globex.id, Kind::ChannelConnection, "web", &json!({}), &secret(SlackBotToken))
        .await
        .unwrap();
    let provider = operator
        .publish(globex.id, Kind::LLMProvider, "demo", &json!({}), &secret(ProviderApiKey))
        .await
        .unwrap();
    world
        .ai_gateway
        .record_loaded(globex.id, Kind::LLMProvider, "demo", Reader::AiGateway, &provider.revision)
        .await
        .unwrap();
    let observation = Observation {
        condition: Condition::ModelAvailable,
        ok: true,
        reason: "ModelAnswered".to_owned(),
        message: String::new(),
    };
    globex.runtime.observe(Kind::Agent, "ada", &observation).await.unwrap();
    operator.claim_channel_account(globex.id, "web", "slack", "T1").await.unwrap();
    world.gateway.accept(globex.id, &web_chat(), &message("c1", 1)).await.unwrap();
    let turn = konstruct_store::Turn {
        reply: "secret reply".to_owned(),
        outcome: konstruct_store::TurnOutcome::Answered,
        agent_revision: provider.revision,
        provider: None,
        model: None,
        tokens_in: 0,
        tokens_out: 0,
        elapsed: std::time::Duration::ZERO,
        files: Vec::new(),
    };
    let parked = konstruct_store::TurnOutcome::Parked { reason: "secret reason".to_owned() };
    let lease = std::time::Duration::from_secs(30);
    let claim = globex.runtime.claim("w", lease).await.unwrap().unwrap();
    let picture = konstruct_store::NewPicture {
        id: globex.id.as_uuid(),
        conversation: claim.conversation,
        connection: "web",
        media_type: "image/png",
        bytes: 1,
        width: 1,
        height: 1,
    };
    world.gateway.add_picture(globex.id, picture).await.unwrap();
    globex.runtime.complete(&claim, &turn).await.unwrap();
    let sent = world.gateway.claim_outbox(globex.id, "g").await.unwrap().unwrap();
    world.gateway.outbox_sent(globex.id, &sent, Some("1.2")).await.unwrap();
    world.gateway.accept(globex.id, &web_chat(), &message("c2", 1)).await.unwrap();
    let claim = globex.runtime.claim("w", lease).await.unwrap().unwrap();
    globex.runtime.complete(&claim, &konstruct_store::Turn { outcome: parked, ..turn }).await.unwrap();
    world.gateway.accept(globex.id, &web_chat(), &message("c3", 1)).await.unwrap();
    let call = konstruct_store::ModelCall {
        request_id: globex.id.as_uuid(),
        agent: "ada".parse().unwrap(),
        owner: ProviderOwner::Tenant,
        provider: "demo".parse().unwrap(),
        model: "demo-1".to_owned(),
        tokens_in: 1,
        tokens_out: 1,
        cost: konstruct_domain::Money::from_micros(5),
        outcome: "ok",
    };
    world.ai_gateway.record_model_call(globex.id, &call).await.unwrap();
    fill_delivery(world).await;
}

/// What platforms tell of messages and people.
async fn fill_delivery(world: &World) {
    let (globex, gateway) = (world.globex.id, &world.gateway);
    let web = "web".parse().unwrap();
    let part = ReplyPart { reply: ReplyId::new(globex.as_uuid()), part: 0 };
    gateway.part_begins(globex, part.reply, part.part).await.unwrap();
    let status = DeliveryStatus {
        message_id: "wamid.1".to_owned(),
        progress: Progress::Sent,
        at: Some(1),
        part: Some(part),
        pricing: None,
        failure: None,
    };
    gateway.record_status(globex, &web, &status).await.unwrap();
    assert!(!gateway.album_part(globex, &web, "album", "message", b"secret delivery").await.unwrap());
    let person = Contact { user_id: Some("DE.1".to_owned()), ..Contact::default() };
    gateway.meet(globex, &web, &person).await.unwrap();
    let minute = std::time::Duration::from_mins(1);
    assert!(gateway.lease_poll(globex, &web, "gateway", minute).await.unwrap());
    gateway.listening(globex, &web, minute).await.unwrap();
    let conversation = konstruct_store::conversation_of(globex, &web_chat(), &message("c2", 1));
    assert!(gateway.stream_begins(globex, conversation, part.reply).await.unwrap());
    let subject = serde_json::json!({ "secret": "subject" });
    let offer = konstruct_store::Offer {
        purpose: "test",
        subject: &subject,
        choices: &["yes"],
        may_press: None,
        lasts: minute,
    };
    gateway.offer(globex, &web, offer).await.unwrap();
}

/// A session that may act for acme and tries to reach globex.
struct Attacker {
    who: String,
    connection: PgConnection,
    /// Statements that open a transaction as acme.
    begin: String,
}

async fn attackers(world: &World) -> Vec<Attacker> {
    let mut attackers = Vec::new();
    let role = world.acme.slug.database_role();
    let url = world.database.url_for(&role, PASSWORD);
    attackers.push(Attacker {
        who: "acme's runtime".to_owned(),
        connection: connect(&url).await,
        begin: "begin".to_owned(),
    });
    // The same, with every setting that a shared role would use pointed at the victim.
    attackers.push(Attacker {
        who: "acme's runtime with the tenant setting forged".to_owned(),
        connection: connect(&url).await,
        begin: format!("begin; select set_config('konstruct.tenant', '{}', true)", world.globex.id),
    });
    for (role, url) in SHARED_ROLES.into_iter().zip([
        world.database.operator_url(),
        world.database.gateway_url(),
        world.database.ai_gateway_url(),
    ]) {
        attackers.push(Attacker {
            who: format!("{role} acting for acme"),
            connection: connect(&url).await,
            begin: format!("begin; select set_config('konstruct.tenant', '{}', true)", world.acme.id),
        });
    }
    attackers
}

impl Attacker {
    async fn attempt(&mut self, sql: &str) -> Result<Vec<sqlx::postgres::PgRow>, sqlx::Error> {
        query(&mut self.connection, self.begin.clone()).await.unwrap();
        let result = query(&mut self.connection, sql.to_owned()).await;
        query(&mut self.connection, "rollback".to_owned()).await.unwrap();
        result
    }
}

fn is_denied(error: &sqlx::Error) -> bool {
    // insufficient_privilege: no grant, or the row violates a policy.
    matches!(error, sqlx::Error::Database(database) if database.code().as_deref() == Some("42501"))
}

#[tokio::test]
async fn no_tenant_reads_or_changes_anothers_rows_in_any_table() {
    let world = World::new().await;
    fill(&world).await;
    let mut admin = world.database.admin().await;
    let tables = tables(&mut admin).await;
    assert!(tables.len() >= 16, "the catalogue lists {tables:?}");
    let victim = world.globex.id;
    for table in &tables {
        let rows =
            query(&mut admin, format!("select from konstruct.{table} where tenant_id = '{victim}'")).await;
        assert!(!rows.unwrap().is_empty(), "{table}: nothing to steal, so the test would prove nothing");
    }
    for mut attacker in attackers(&world).await {
        for table in &tables {
            let context = format!("{} on {table}", attacker.who);
            for statement in [
                format!("select * from konstruct.{table} where tenant_id = '{victim}'"),
                format!(
                    "update konstruct.{table} set tenant_id = tenant_id where tenant_id = '{victim}' returning 1"
                ),
                format!("delete from konstruct.{table} where tenant_id = '{victim}' returning 1"),
            ] {
                match attacker.attempt(&statement).await {
                    Ok(rows) => assert!(rows.is_empty(), "{context}: {statement}"),
                    Err(error) => assert!(is_denied(&error), "{context}: {statement}: {error}"),
                }
            }
        }
    }
}

/// Copies each of the victim's rows under a new key as the attacker, naming the victim as its tenant.
#[tokio::test]
async fn no_tenant_inserts_rows_for_another_in_any_table() {
    let world = World::new().await;
    fill(&world).await;
    let mut admin = world.database.admin().await;
    let victim = world.globex.id;
    for table in tables(&mut admin).await {
        let row: String = sqlx::query_scalar(AssertSqlSafe(format!(
            "select to_jsonb(t)::text from konstruct.{table} t where tenant_id = '{victim}' limit 1"
        )))
        .fetch_one(&mut admin)
        .await
        .unwrap();
        let row = row.replace('\'', "''");
        for mut attacker in attackers(&world).await {
            let statement = format!(
                "insert into konstruct.{table} overriding system value
                 select * from jsonb_populate_record(null::konstruct.{table}, '{row}'::jsonb)"
            );
            let error = attacker.attempt(&statement).await.err();
            assert!(error.as_ref().is_some_and(is_denied), "{} on {table}: {error:?}", attacker.who);
        }
    }
}

#[tokio::test]
async fn a_shared_role_that_chose_no_tenant_is_refused_by_every_table() {
    let world = World::new().await;
    let mut admin = world.database.admin().await;
    let tables = tables(&mut admin).await;
    fill(&world).await;
    for url in [world.database.operator_url(), world.database.gateway_url(), world.database.ai_gateway_url()]
    {
        let mut connection = connect(&url).await;
        for table in &tables {
            let error = query(&mut connection, format!("select * from konstruct.{table}")).await.err();
            assert!(error.as_ref().is_some_and(is_denied), "{table}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_tenants_role_whose_binding_is_gone_sees_nothing() {
    let world = World::new().await;
    fill(&world).await;
    let mut admin = world.database.admin().await;
    query(&mut admin, "delete from konstruct.tenant_role".to_owned()).await.unwrap();
    let url = world.database.url_for(&world.globex.slug.database_role(), PASSWORD);
    let mut connection = connect(&url).await;
    let forged = format!("select set_config('konstruct.tenant', '{}', false)", world.globex.id);
    query(&mut connection, forged).await.unwrap();
    let error = query(&mut connection, "select * from konstruct.history".to_owned()).await.err();
    assert!(error.as_ref().is_some_and(is_denied), "{error:?}");
}

#[tokio::test]
async fn every_tenant_table_is_under_forced_row_level_security_with_one_restrictive_policy() {
    let world = World::new().await;
    let mut admin = world.database.admin().await;
    for table in tables(&mut admin).await {
        let row = sqlx::query(AssertSqlSafe(format!(
            "select relrowsecurity and relforcerowsecurity as forced,
                 (select attnotnull from pg_attribute where attrelid = c.oid and attname = 'tenant_id') as not_null,
                 (select count(*) from pg_policy p where p.polrelid = c.oid and not p.polpermissive
                  and p.polroles = '{{0}}' and p.polcmd = '*' and p.polname = 'tenant') as policies
             from pg_class c where c.oid = 'konstruct.{table}'::regclass"
        )))
        .fetch_one(&mut admin)
        .await
        .unwrap();
        assert!(row.get::<bool, _>("forced"), "{table}");
        assert_eq!(row.get::<Option<bool>, _>("not_null"), Some(true), "{table}.tenant_id");
        assert_eq!(row.get::<i64, _>("policies"), 1, "{table}");
    }
}

#[tokio::test]
async fn no_role_of_ours_can_step_around_row_level_security() {
    let world = World::new().await;
    let mut admin = world.database.admin().await;
    let powerful: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles
         where (rolname like 'konstruct\\_%' or rolname like 'kt\\_%')
         and (rolsuper or rolbypassrls or rolreplication or rolcreatedb
              or (rolcreaterole and rolname <> 'konstruct_operator')
              or exists (select from pg_class c where c.relowner = pg_roles.oid)
              or pg_has_role(oid, (select relowner from pg_class where oid = 'konstruct.inbox'::regclass), 'member'))",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(powerful.is_empty(), "{powerful:?}");
}

/// TRUNCATE and REFERENCES are not subject to row-level security; definer functions run with their owner's rights.
#[tokio::test]
async fn nothing_is_granted_that_row_level_security_does_not_cover() {
    let world = World::new().await;
    let mut admin = world.database.admin().await;
    let granted: Vec<String> = sqlx::query_scalar(
        "select grantee || ' ' || privilege_type || ' ' || table_name from information_schema.role_table_grants
         where table_schema = 'konstruct' and privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
         and (grantee like 'konstruct\\_%' or grantee like 'kt\\_%' or grantee = 'PUBLIC')",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(granted.is_empty(), "{granted:?}");
    let definer: Vec<String> = sqlx::query_scalar(
        "select proname::text from pg_proc where pronamespace = 'konstruct'::regnamespace and prosecdef",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(definer.is_empty(), "{definer:?}");
}

#[tokio::test]
async fn deleting_a_tenant_leaves_none_of_its_rows_and_no_role() {
    let world = World::new().await;
    fill(&world).await;
    let mut admin = world.database.admin().await;
    let (victim, slug) = (world.globex.id, &world.globex.slug);
    world.operator.erase_tenant(victim).await.unwrap();
    world.operator.drop_database_role(slug).await.unwrap();
    for table in tables(&mut admin).await {
        let rows =
            query(&mut admin, format!("select from konstruct.{table} where tenant_id = '{victim}'")).await;
        assert!(rows.unwrap().is_empty(), "{table}");
    }
    let role = slug.database_role();
    let left = query(&mut admin, format!("select from pg_roles where rolname = '{role}'")).await.unwrap();
    assert!(left.is_empty(), "{role}");
    assert_eq!(world.operator.tenants().await.unwrap().len(), 1, "the other tenant stays");
}
