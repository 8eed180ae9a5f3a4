//! All connections in memory, and the ways to find the one that a delivery or a reply belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use konstruct_domain::{ConnectionName, TenantId};
use tokio::sync::SetOnce;

use crate::connection::Connection;

/// Replaced as a whole, so that a reader sees one state of it. Empty until the first load: a delivery for an unknown
/// account is dropped for good, so nothing may count as unknown before everything is known.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    routes: ArcSwapOption<Routes>,
    loaded: SetOnce<()>,
}

/// Whose an account is, among the connections that use the platform's shared app.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    Connection(Arc<Connection>),
    Unknown,
    /// Two connections name it. The operator lets only one have it; until that is settled, nobody gets anything.
    Ambiguous,
}

#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_tenant: HashMap<TenantId, Vec<Arc<Connection>>>,
    by_public_id: HashMap<String, Arc<Connection>>,
    /// By channel and account.
    shared: HashMap<(&'static str, String), Owner>,
}

impl Registry {
    /// `None` until the configuration was loaded.
    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.load_full()
    }

    pub(crate) fn replace(&self, by_tenant: HashMap<TenantId, Vec<Arc<Connection>>>) {
        self.routes.store(Some(Arc::new(Routes::new(by_tenant))));
        // Each time after the first it is set already.
        let _ = self.loaded.set(());
    }

    /// Waits for the first load.
    pub(crate) async fn loaded(&self) {
        self.loaded.wait().await;
    }
}

impl Routes {
    fn new(by_tenant: HashMap<TenantId, Vec<Arc<Connection>>>) -> Self {
        let mut by_public_id = HashMap::new();
        let mut shared = HashMap::new();
        for connection in by_tenant.values().flatten() {
            by_public_id.insert(connection.snapshot.public_id.clone(), Arc::clone(connection));
            let channel = &connection.snapshot.channel;
            if let Some(account) = channel.account().filter(|_| channel.uses_shared_app()) {
                shared
                    .entry((channel.type_name(), account.to_owned()))
                    .and_modify(|owner| *owner = Owner::Ambiguous)
                    .or_insert_with(|| Owner::Connection(Arc::clone(connection)));
            }
        }
        Self { by_tenant, by_public_id, shared }
    }

    pub(crate) fn by_tenant(&self) -> &HashMap<TenantId, Vec<Arc<Connection>>> {
        &self.by_tenant
    }

    pub(crate) fn connection(&self, tenant: TenantId, name: &ConnectionName) -> Option<&Arc<Connection>> {
        self.by_tenant.get(&tenant)?.iter().find(|connection| connection.snapshot.name == *name)
    }

    pub(crate) fn by_public_id(&self, public_id: &str) -> Option<&Arc<Connection>> {
        self.by_public_id.get(public_id)
    }

    pub(crate) fn shared(&self, channel: &'static str, account: &str) -> Owner {
        self.shared.get(&(channel, account.to_owned())).cloned().unwrap_or(Owner::Unknown)
    }

    /// The connection of an account whose deliveries may come over another connection's line, because both are of one app:
    /// they hold the same token.
    pub(crate) fn on_the_same_line(
        &self,
        line: &Connection,
        owns: impl Fn(&Connection) -> bool,
    ) -> Option<&Arc<Connection>> {
        let token = line.snapshot.channel.line_token()?;
        let mut all = self.by_tenant.values().flatten();
        all.find(|connection| connection.snapshot.channel.line_token() == Some(token) && owns(connection))
    }

    /// All that use the shared app of a channel, for what concerns more than one account.
    pub(crate) fn all_shared(&self, channel: &'static str) -> impl Iterator<Item = &Arc<Connection>> {
        self.shared.iter().filter_map(move |((of, _), owner)| match owner {
            Owner::Connection(connection) if *of == channel => Some(connection),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use konstruct_domain::revision::Revision;
    use konstruct_domain::snapshot::{
        ChannelSnapshot, ConnectionSnapshot, Manners, SecretField, SecretVersion, SlackSnapshot,
    };
    use konstruct_store::Versioned;

    use super::*;

    fn slack(tenant: TenantId, name: &str, team: &str, own_app: bool) -> Arc<Connection> {
        let secret = |field| SecretVersion { field, version: "v".to_owned() };
        let snapshot = ConnectionSnapshot {
            name: name.parse().unwrap(),
            agent: "ada".parse().unwrap(),
            public_id: format!("{tenant}-{name}"),
            channel: ChannelSnapshot::Slack(SlackSnapshot {
                team_id: team.to_owned(),
                bot_token: secret(SecretField::SlackBotToken),
                signing_secret: own_app.then(|| secret(SecretField::SlackSigningSecret)),
                app_token: None,
            }),
            pause: None,
            manners: Manners::default(),
        };
        let revision = Revision::of(&snapshot).unwrap();
        Arc::new(Connection::new(tenant, Versioned { name: name.to_owned(), revision, snapshot }))
    }

    fn tenant(slug: &str) -> TenantId {
        TenantId::from_slug(&slug.parse().unwrap())
    }

    #[test]
    fn an_account_belongs_to_one_connection_or_to_nobody() {
        let (a, b) = (tenant("a"), tenant("b"));
        let routes = Routes::new(HashMap::from([
            (
                a,
                vec![slack(a, "one", "T1", false), slack(a, "two", "T2", false), slack(a, "own", "T3", true)],
            ),
            (b, vec![slack(b, "one", "T2", false), slack(b, "own", "T1", true)]),
        ]));
        let Owner::Connection(found) = routes.shared("slack", "T1") else { panic!("T1 belongs to a/one") };
        assert_eq!((found.tenant, found.name()), (a, "one"));
        assert!(matches!(routes.shared("slack", "T2"), Owner::Ambiguous));
        assert!(matches!(routes.shared("slack", "T3"), Owner::Unknown), "an own app has its own URL");
        assert_eq!(routes.all_shared("slack").count(), 1);
        assert_eq!(routes.connection(b, &"one".parse().unwrap()).unwrap().tenant, b);
        assert_eq!(routes.by_public_id(&format!("{b}-own")).unwrap().tenant, b);
    }

    #[test]
    fn nothing_is_unknown_before_everything_is_known() {
        let registry = Registry::default();
        assert!(registry.routes().is_none());
        registry.replace(HashMap::new());
        assert!(registry.routes().is_some());
    }
}
