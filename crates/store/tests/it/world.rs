//! Two tenants, and every door to the database.

use konstruct_domain::message::{Addressing, InboundMessage, ReplyTarget};
use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, Manners, WebChatSnapshot};
use konstruct_domain::{Slug, TenantId};
use konstruct_store::{Keyring, Store, TenantRecord, TenantStore};
use konstruct_testkit::{TestDatabase, unique_slug};

pub(crate) const PASSWORD: &str = "tenant-password";

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) operator: Store,
    pub(crate) gateway: Store,
    pub(crate) ai_gateway: Store,
    pub(crate) acme: Tenant,
    pub(crate) globex: Tenant,
}

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) runtime: TenantStore,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let both = Keyring::new(Some([1; 32]), Some([2; 32]));
        let operator = Store::connect(&database.operator_url(), 4, both).unwrap();
        let gateway = Store::connect(&database.gateway_url(), 8, Keyring::new(Some([1; 32]), None)).unwrap();
        let ai_gateway =
            Store::connect(&database.ai_gateway_url(), 4, Keyring::new(None, Some([2; 32]))).unwrap();
        let acme = tenant(&database, &operator, "acme").await;
        let globex = tenant(&database, &operator, "globex").await;
        Self { database, operator, gateway, ai_gateway, acme, globex }
    }
}

pub(crate) async fn tenant(database: &TestDatabase, operator: &Store, stem: &str) -> Tenant {
    let slug = unique_slug(stem);
    let id = TenantId::from_slug(&slug);
    let record =
        TenantRecord { id, slug: slug.clone(), namespace: slug.namespace(), display_name: stem.to_owned() };
    operator.upsert_tenant(&record).await.unwrap();
    operator.ensure_database_role(id, &slug, &PASSWORD.into()).await.unwrap();
    let runtime = TenantStore::connect(&database.url_for(&slug.database_role(), PASSWORD)).unwrap();
    Tenant { id, slug, runtime }
}

pub(crate) fn web_chat() -> ConnectionSnapshot {
    ConnectionSnapshot {
        name: "web".parse().unwrap(),
        agent: "ada".parse().unwrap(),
        public_id: "0123456789abcdef".to_owned(),
        channel: ChannelSnapshot::WebChat(WebChatSnapshot {
            title: "Chat".to_owned(),
            ..WebChatSnapshot::default()
        }),
        pause: None,
        manners: Manners::default(),
    }
}

pub(crate) fn message(conversation: &str, number: u32) -> InboundMessage {
    InboundMessage {
        event_id: format!("{conversation}/event/{number}"),
        message_id: format!("{conversation}/message/{number}"),
        conversation_key: conversation.to_owned(),
        author_id: "visitor".to_owned(),
        text: format!("message {number}"),
        attachments: Vec::new(),
        language: None,
        addressing: Addressing::Addressed,
        reply_to: ReplyTarget::new("web_chat", []),
        raw: Vec::new().into(),
    }
}
