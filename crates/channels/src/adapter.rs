//! What every channel can be asked to do. The gateway knows channels by this interface only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use konstruct_domain::delivery::Contact;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::{Attachment, ReplyTarget};
use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot, SecretField};
use secrecy::SecretString;

use crate::{Buttons, Event, Failure, History, Ledger, Line, Question, SendError, Streaming};

/// A channel. `verify` and `parse` are pure; the others talk to the platform.
///
/// What a channel has no use for stays as it is here: it refuses, or does nothing.
pub trait Adapter: Send + Sync {
    /// The `channel_type` of rows and the label of metrics.
    fn name(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    /// The secrets of the platform's own app, if one app serves many connections.
    fn shared_secrets(&self) -> Option<&Secrets> {
        None
    }

    /// Whether a request comes from the platform. Looks at the raw bytes, before anything of them is parsed.
    fn verify(&self, _received: &Received<'_>, _secrets: &Secrets) -> Result<(), Refused> {
        Err(Refused::new("this channel has no webhook", "send nothing here"))
    }

    /// The answer to a platform that asks by GET whether the address is ours.
    fn handshake(&self, _query: &str, _secrets: &Secrets) -> Result<String, Refused> {
        Err(Refused::new("this channel has no handshake", "send nothing here"))
    }

    /// What an authentic delivery says. Only what can never be one of the platform's is malformed: unknown fields,
    /// types and values are ignored with a reason, and one bad part does not spoil the others. `channel` is the
    /// connection's that the delivery came for, unless it came to a shared app.
    fn parse(&self, _body: &Bytes, _channel: Option<&ChannelSnapshot>) -> Result<Vec<Event>, Malformed> {
        Ok(Vec::new())
    }

    /// Tells a platform that knows it not to repeat a delivery that has no chance.
    fn no_retry_header(&self) -> Option<(HeaderName, &'static str)> {
        None
    }

    /// Whether an account of a delivery is this connection's.
    fn owns(&self, channel: &ChannelSnapshot, account: &AccountId) -> bool {
        channel.account() == Some(account.id.as_str())
    }

    /// Asks whose the credentials are and, where the platform has to be told, where deliveries go: called when a
    /// connection is new or changed. Nothing to do for a channel without credentials.
    fn connect<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _webhook_url: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), NotConnected>> {
        Box::pin(async { Ok(()) })
    }

    /// What it means that the platform refuses the credentials, and what to do.
    fn advice(&self, reason: &str) -> String {
        format!("the platform refuses the credentials ({reason})")
    }

    /// Sends a reply so that it is visible once. Returns the platform's id of its first message.
    fn send<'a>(
        &'a self,
        account: &'a Account<'a>,
        reply: &'a Reply<'a>,
        ledger: &'a dyn Ledger,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>>;

    /// Shows that the message was seen and is being answered. It may fail without harm.
    fn typing<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _target: &'a ReplyTarget,
        _message_id: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    /// Takes a sign of typing back that no reply ends. It may fail without harm.
    fn typing_ends<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _target: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    /// Asks something that is answered with a button. `contact` is the person's whose conversation it is, where the
    /// channel knows people by more than one id. Returns the platform's id of the message.
    fn ask<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _target: &'a ReplyTarget,
        _contact: Option<&'a Contact>,
        _question: &'a Question<'a>,
    ) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(async { Err(SendError::Rejected { reason: "this channel has no buttons".to_owned() }) })
    }

    /// The buttons at the place of a press are of no use any more. It may fail without harm.
    fn answered<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _place: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Ok(()) })
    }

    /// Tells one person something that nobody else sees.
    fn whisper<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _target: &'a ReplyTarget,
        _person: &'a str,
        _text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Rejected { reason: "this channel cannot whisper".to_owned() }) })
    }

    /// Shows that the wish to stop was heard. It may fail without harm.
    fn stop_heard<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        self.typing_ends(account, target)
    }

    /// For channels that show an answer while it grows.
    fn streaming(&self) -> Option<&dyn Streaming> {
        None
    }

    /// A file that somebody sent, of `max` bytes at most, with the platform's own promises checked.
    fn fetch<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _attachment: &'a Attachment,
        _max: u64,
    ) -> BoxFuture<'a, Result<File, SendError>> {
        Box::pin(async { Err(SendError::Rejected { reason: "this channel has no files".to_owned() }) })
    }

    /// Whether this connection's deliveries are to be asked for, because none come.
    fn polls(&self, _channel: &ChannelSnapshot) -> bool {
        false
    }

    /// Asks for deliveries, and says that those before `after` are committed. Waits for a while when there are none.
    fn poll<'a>(
        &'a self,
        _account: &'a Account<'a>,
        _after: Option<i64>,
    ) -> BoxFuture<'a, Result<Polled, SendError>> {
        Box::pin(async { Ok(Polled::default()) })
    }

    /// How long nobody may listen until deliveries are lost that can be asked for afterwards. None: they are kept, or
    /// cannot be asked for.
    fn gives_up_after(&self) -> Option<Duration> {
        None
    }

    /// What the platform remembers, for a channel that [gives up](Self::gives_up_after).
    fn history<'a>(
        &'a self,
        _account: &'a Account<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn History + 'a>, SendError>> {
        Box::pin(async { Err(SendError::Rejected { reason: "this channel has no history".to_owned() }) })
    }

    /// Opens the line over which the deliveries come of a connection that has a
    /// [`line_token`](ChannelSnapshot::line_token).
    fn open_line<'a>(
        &'a self,
        _account: &'a Account<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Line>, NotConnected>> {
        Box::pin(async {
            Err(NotConnected::Mismatch("this channel has no lines: use its webhook".to_owned()))
        })
    }
}

/// What a channel can show, and how fast it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Longest text of one message, in characters. A longer reply becomes several.
    pub text_max: usize,
    /// More messages for one reply are a flood: then it is its beginning and a file with the whole. `None` for a channel
    /// that shows everything.
    pub messages_max: Option<usize>,
    pub markup: Markup,
    /// Of questions; `None` for a channel that has none.
    pub buttons: Option<Buttons>,
    pub streaming: bool,
    pub files: bool,
    /// `None` for a channel that shows no sign of typing.
    pub typing: Option<Typing>,
    /// For how long after a person's message they may be answered freely.
    pub reply_window: Option<Duration>,
}

/// A channel's sign of typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typing {
    /// After what time it has to be renewed.
    pub lasts: Duration,
    /// It names the message and marks it as read. Else it is the conversation's.
    pub each_message: bool,
}

/// What becomes of a model's Markdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Shown as it is.
    Markdown,
    /// Translated into the channel's own.
    Own,
}

/// A request as it arrived. Nothing of it is to be believed before `verify`.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
    /// Seconds since 1970.
    pub now: u64,
}

impl<'a> Received<'a> {
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }
}

/// Why a request is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {remedy}")]
pub struct Refused {
    pub reason: String,
    pub remedy: &'static str,
}

impl Refused {
    pub fn new(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { reason: reason.into(), remedy }
    }
}

/// An authentic body that cannot be read. The platform never sends that; a proxy on the way may have changed it.
#[derive(Debug, thiserror::Error)]
#[error("the body is not valid JSON: {0}")]
pub struct Malformed(#[from] serde_json::Error);

/// A connection with its secrets.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub connection: &'a ConnectionSnapshot,
    pub secrets: &'a Secrets,
}

/// The values of the secrets that a connection names. Cheap to clone: each request does.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<HashMap<SecretField, SecretString>>);

impl Secrets {
    pub fn get(&self, field: SecretField) -> Option<&SecretString> {
        self.0.get(&field)
    }

    /// The one that a call cannot do without.
    pub fn require(&self, field: SecretField) -> Result<&SecretString, SendError> {
        self.get(field).ok_or_else(|| SendError::Transient {
            reason: format!("the connection has no {} at the moment", field.as_str()),
        })
    }
}

impl FromIterator<(SecretField, SecretString)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (SecretField, SecretString)>>(secrets: T) -> Self {
        Self(Arc::new(secrets.into_iter().collect()))
    }
}

/// Whose delivery it is: an account at the platform and, where there is one, what it belongs to there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountId {
    pub id: String,
    pub parent: Option<String>,
}

impl From<&str> for AccountId {
    fn from(id: &str) -> Self {
        Self { id: id.to_owned(), parent: None }
    }
}

/// What to send where.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub id: ReplyId,
    pub target: &'a ReplyTarget,
    /// Markdown, as a model writes it.
    pub text: &'a str,
    /// An earlier try may have succeeded.
    pub in_doubt: bool,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// Why a connection does not work although the platform answered, or that it could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConnected {
    /// Good credentials, but of something else than the spec says. The text says what to do.
    #[error("{0}")]
    Mismatch(String),
    #[error(transparent)]
    Call(#[from] SendError),
}

/// A file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub bytes: Bytes,
    /// As the platform declares it.
    pub media_type: Option<String>,
}

/// Deliveries that were asked for, and where to go on once they are committed.
#[derive(Clone, Debug, Default)]
pub struct Polled {
    pub deliveries: Vec<Bytes>,
    pub after: Option<i64>,
}
