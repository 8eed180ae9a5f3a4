//! A company with one employee, who works in every channel.

use anyhow::Result;
use konstruct_domain::snapshot::{
    AgentSnapshot, ChannelSnapshot, ConnectionSnapshot, Manners, ModelChoice, ProviderOwner, SecretField,
    SecretPurpose, SecretVersion, SlackSnapshot, TelegramMode, TelegramSnapshot, TenantSnapshot,
    WebChatSnapshot, WhatsAppSnapshot,
};
use konstruct_domain::{Kind, TenantId};
use konstruct_store::{Store, TenantRecord};
use konstruct_testkit::slack::{App, SlackDouble, Workspace};
use konstruct_testkit::telegram::{Bot, TelegramDouble};
use konstruct_testkit::whatsapp::{MetaApp, Number, WhatsAppDouble};
use konstruct_testkit::{TestDatabase, unique_slug};
use secrecy::SecretString;

pub(crate) const SLACK_SIGNING_SECRET: &str = "chaos-signing-secret";
pub(crate) const META_APP_SECRET: &str = "chaos-app-secret";
const PASSWORD: &str = "tenant-password";

/// What is outside, or stands for it.
pub(crate) struct Platforms {
    pub(crate) slack: SlackDouble,
    pub(crate) whatsapp: WhatsAppDouble,
    pub(crate) telegram: TelegramDouble,
}

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) app: App,
    pub(crate) meta: MetaApp,
    pub(crate) bot: Bot,
    /// Whether Telegram brings the bot's updates, or is asked for them.
    pub(crate) has_webhook: bool,
    pub(crate) web_chat: ConnectionSnapshot,
    pub(crate) database_url: SecretString,
}

/// A channel for each conversation: Slack takes one message a second in each.
pub(crate) fn channel(conversation: usize) -> String {
    format!("C{conversation:05}")
}

/// What the operator does for the `number`-th tenant.
pub(crate) async fn employ(
    operator: &Store,
    database: &TestDatabase,
    platforms: &Platforms,
    number: usize,
    conversations: usize,
) -> Result<Tenant> {
    let slug = unique_slug("chaos");
    let id = TenantId::from_slug(&slug);
    let display_name = format!("Company {number}");
    let record = TenantRecord {
        id,
        slug: slug.clone(),
        namespace: slug.namespace(),
        display_name: display_name.clone(),
    };
    operator.upsert_tenant(&record).await?;
    operator.ensure_database_role(id, &slug, &PASSWORD.into()).await?;
    let tenant = TenantSnapshot {
        slug: slug.clone(),
        display_name,
        concurrent_turns: None,
        tokens_per_month: None,
        spend_per_month: None,
    };
    operator.publish(id, Kind::Tenant, slug.as_str(), &tenant, &[]).await?;
    let agent = agent()?;
    operator.publish(id, Kind::Agent, agent.name.as_str(), &agent, &[]).await?;
    let office = Office { operator, id };
    let has_webhook = number != 1;
    Ok(Tenant {
        id,
        app: office.slack(&platforms.slack, number, conversations).await?,
        meta: office.whatsapp(&platforms.whatsapp, number).await?,
        bot: office.telegram(&platforms.telegram, number, has_webhook).await?,
        has_webhook,
        web_chat: office.connect("web", web_chat(), &[]).await?,
        database_url: database.url_for(&slug.database_role(), PASSWORD),
    })
}

/// Where a tenant's channels are connected.
struct Office<'a> {
    operator: &'a Store,
    id: TenantId,
}

impl Office<'_> {
    async fn slack(&self, slack: &SlackDouble, number: usize, conversations: usize) -> Result<App> {
        let mut workspace = Workspace::new(&format!("T{number}"));
        workspace.channels.extend((0..conversations).map(channel));
        slack.add_workspace(workspace.clone());
        let (bot_token, secret) = self.secret(SecretField::SlackBotToken, &workspace.bot_token)?;
        let team_id = workspace.team_id.clone();
        let channel = ChannelSnapshot::Slack(SlackSnapshot {
            team_id,
            bot_token,
            signing_secret: None,
            app_token: None,
        });
        self.connect("slack", channel, &[secret]).await?;
        Ok(App::new(&workspace, SLACK_SIGNING_SECRET))
    }

    async fn whatsapp(&self, whatsapp: &WhatsAppDouble, number: usize) -> Result<MetaApp> {
        let line = Number::new(&format!("PN{number}"));
        whatsapp.add_number(line.clone());
        let (access_token, secret) = self.secret(SecretField::WhatsAppAccessToken, &line.access_token)?;
        let channel = ChannelSnapshot::WhatsApp(WhatsAppSnapshot {
            phone_number_id: line.phone_number_id.clone(),
            waba_id: line.waba_id.clone(),
            access_token,
            app_secret: None,
            verify_token: None,
            template: None,
        });
        self.connect("whatsapp", channel, &[secret]).await?;
        Ok(MetaApp::new(&line, META_APP_SECRET))
    }

    async fn telegram(&self, telegram: &TelegramDouble, number: usize, webhook: bool) -> Result<Bot> {
        let bot = Bot::new(&format!("chaos_{number}_bot"));
        telegram.add_bot(bot.clone());
        let (bot_token, secret) = self.secret(SecretField::TelegramBotToken, &bot.token)?;
        let mode = if webhook { TelegramMode::Webhook } else { TelegramMode::Polling };
        let channel = TelegramSnapshot { bot_username: bot.username.clone(), bot_token, mode };
        self.connect("telegram", ChannelSnapshot::Telegram(channel), &[secret]).await?;
        Ok(bot)
    }

    fn secret(
        &self,
        field: SecretField,
        value: &str,
    ) -> Result<(SecretVersion, (SecretField, SecretString))> {
        let value = SecretString::from(value);
        let version = self.operator.keyring().fingerprint(SecretPurpose::Channel, &value)?;
        Ok((SecretVersion { field, version }, (field, value)))
    }

    async fn connect(
        &self,
        name: &str,
        channel: ChannelSnapshot,
        secrets: &[(SecretField, SecretString)],
    ) -> Result<ConnectionSnapshot> {
        let connection = ConnectionSnapshot {
            name: name.parse()?,
            agent: agent()?.name,
            public_id: self.operator.keyring().public_id(self.id, name)?,
            channel,
            pause: None,
            manners: Manners::default(),
        };
        self.operator.publish(self.id, Kind::ChannelConnection, name, &connection, secrets).await?;
        Ok(connection)
    }
}

fn web_chat() -> ChannelSnapshot {
    ChannelSnapshot::WebChat(WebChatSnapshot { title: "Chat".to_owned(), ..WebChatSnapshot::default() })
}

fn agent() -> Result<AgentSnapshot> {
    let model = ModelChoice {
        provider: "chaos".parse()?,
        owner: ProviderOwner::Tenant,
        model: "repeating".to_owned(),
        max_output_tokens: 1024,
        temperature_milli: None,
    };
    Ok(AgentSnapshot {
        name: "ada".parse()?,
        display_name: "Ada".to_owned(),
        role: "Front desk".to_owned(),
        persona: String::new(),
        instructions: String::new(),
        models: vec![model],
        window_messages: 10,
        dedicated: false,
        paused: false,
    })
}
