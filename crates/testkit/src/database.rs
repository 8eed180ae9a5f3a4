//! A migrated database of a test's own, on the server that `make test` starts.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use konstruct_domain::Slug;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Of the platform's login roles, on test servers.
const ROLE_PASSWORD: &str = "test-only";
const SHARED_ROLES: [&str; 3] = ["konstruct_operator", "konstruct_gateway", "konstruct_ai_gateway"];
/// Serialises the making of the template among test processes; any number will do.
const TEMPLATE_LOCK: i64 = 0x6b6f_6e73;

fn required(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `make test`, or one crate's with `cargo run -p konstruct-local-services --bin with-services -- cargo test -p …`")
    })
}

/// The shared Redis. Keys are prefixed by tenant, so tests with tenants of their own do not meet.
pub fn redis_url() -> SecretString {
    required("KONSTRUCT_TEST_REDIS_URL").into()
}

/// A slug that no other test uses: database roles and cache users are shared by all databases of the server.
pub fn unique_slug(stem: &str) -> Slug {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{stem}-{:x}-{number}", std::process::id()).parse().unwrap()
}

/// A fresh database with the current schema.
pub struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        Self::create_on(&required("KONSTRUCT_TEST_DATABASE_URL")).await
    }

    /// On a server of the test's own, such as one it stops and starts.
    pub async fn create_on(server: &str) -> Self {
        let mut admin = PgConnection::connect(server).await.unwrap();
        let template = ensure_template(server, &mut admin).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        execute(&mut admin, &format!("create database {name} template {template}")).await;
        // A database's own privileges are not copied from its template.
        execute(&mut admin, &format!("revoke all on database {name} from public")).await;
        let roles = SHARED_ROLES.join(", ");
        execute(&mut admin, &format!("grant connect on database {name} to konstruct_runtime, {roles}")).await;
        Self { server: server.to_owned(), name }
    }

    /// As the superuser: for looking at what really happened.
    pub fn admin_url(&self) -> SecretString {
        with_database(&self.server, &self.name).into()
    }

    pub fn operator_url(&self) -> SecretString {
        self.url_for("konstruct_operator", ROLE_PASSWORD)
    }

    pub fn gateway_url(&self) -> SecretString {
        self.url_for("konstruct_gateway", ROLE_PASSWORD)
    }

    pub fn ai_gateway_url(&self) -> SecretString {
        self.url_for("konstruct_ai_gateway", ROLE_PASSWORD)
    }

    pub fn url_for(&self, role: &str, password: &str) -> SecretString {
        let url = with_database(&self.server, &self.name);
        let (scheme, rest) = url.split_once("://").unwrap();
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("{scheme}://{role}:{password}@{place}").into()
    }

    /// What a query of one column of texts finds, as the superuser.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        query.fetch_all(&mut self.admin().await).await.unwrap()
    }

    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect(self.admin_url().expose_secret()).await.unwrap()
    }
}

fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, ""), |(base, query)| (base, query));
    let (scheme, rest) = base.split_once("://").unwrap();
    let place = rest.split_once('/').map_or(rest, |(place, _)| place);
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{scheme}://{place}/{name}{query}")
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    files.into_iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Migrates once a server and schema; every test's database is a copy.
async fn ensure_template(server: &str, admin: &mut PgConnection) -> String {
    let migrations = migrations();
    let schema = Uuid::new_v5(&Uuid::NAMESPACE_OID, migrations.concat().as_bytes()).simple().to_string();
    let name = format!("template_{schema}");
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.unwrap();
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut *admin)
        .await
        .unwrap();
    if !exists {
        let draft = format!("draft_{schema}");
        execute(admin, &format!("drop database if exists {draft}")).await;
        execute(admin, &format!("create database {draft}")).await;
        let mut connection = PgConnection::connect(&with_database(server, &draft)).await.unwrap();
        for migration in migrations {
            execute(&mut connection, &migration).await;
        }
        for role in SHARED_ROLES {
            execute(&mut connection, &format!("alter role {role} login password '{ROLE_PASSWORD}'")).await;
        }
        connection.close().await.unwrap();
        execute(admin, &format!("alter database {draft} rename to {name}")).await;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.unwrap();
    name
}
