//! Files in both directions: a share of the messages has a picture or a document, and a share of the answers is too long
//! for messages. What has become of each.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::check::Token;
use crate::world::World;

/// A PNG of four pixels.
const PICTURE: &str = "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73000000114944415478\
                       9c63f8cfc0004460e23f03001df003fda03309890000000049454e44ae426082";
/// Stands for what a long answer says, and begins each of its messages where it came as messages after all.
const PADDING: &str = "more";
const END: &str = "the end";
/// What beginnings say of their files.
const NOTE: &str = "The whole answer is in the file.";

/// Pictures that the model was shown.
static SHOWN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// What comes with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Picture,
    Document,
}

impl Kind {
    /// The same for each try at a message.
    pub(crate) const fn of(token: Token) -> Option<Self> {
        match token.number % 7 {
            2 => Some(Self::Picture),
            4 => Some(Self::Document),
            _ => None,
        }
    }

    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Picture => "image/png",
            Self::Document => "application/pdf",
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Picture => hex::decode(PICTURE).unwrap_or_default(),
            Self::Document => b"%PDF-1.4 a few bytes".to_vec(),
        }
    }
}

/// The answer to these tokens.
pub(crate) fn answer(tokens: &[Token]) -> String {
    let words: Vec<_> = tokens.iter().map(Token::to_string).collect();
    let short = format!("re {}", words.join(" "));
    if tokens.iter().any(|token| token.number % 11 == 7) {
        let padding = vec![format!("{PADDING} {}", "word ".repeat(1_000)); 9];
        return format!("{short}\n\n{}\n\n{END}", padding.join("\n\n"));
    }
    short
}

/// Whether it goes on with an answer whose beginning is another message.
pub(crate) fn goes_on(text: &str) -> bool {
    text.starts_with(PADDING) || text.starts_with(END)
}

pub(crate) fn shown(picture: &str) {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(picture.to_owned());
}

/// What has become of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    kept: usize,
    given_up: usize,
    /// Neither kept nor given up in the end.
    unsettled: usize,
    /// Pictures that no model has seen although there was a turn after they had come.
    unseen: usize,
    /// Fewer than messages with files that were acknowledged.
    missing: usize,
    /// Files with long answers.
    sent: usize,
    /// Beginnings without their file, files without or with two beginnings, and files that are not whole.
    torn: usize,
}

impl Files {
    pub(crate) fn is_clean(&self) -> bool {
        self.unsettled + self.unseen + self.missing + self.torn == 0
    }

    pub(crate) const fn are_settled(&self) -> bool {
        self.unsettled == 0
    }
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, given_up, unsettled, unseen, missing, sent, torn } = self;
        writeln!(
            f,
            "files in      kept {kept}, given up {given_up}, unsettled {unsettled}, unseen {unseen}, missing {missing}"
        )?;
        write!(f, "files out     sent {sent}, torn {torn}")
    }
}

/// `expected` is how many messages with files were acknowledged.
pub(crate) async fn look(world: &World, expected: usize) -> Files {
    let mut files = Files::default();
    let rows = world.database.texts(
        "select state || ' ' || case when width is null or late then 'other' else 'picture' end || ' ' || media_id
         from konstruct.media",
    );
    let rows = rows.await;
    {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &rows {
            let parts: Vec<_> = row.split(' ').collect();
            match parts[..] {
                ["kept", kind, id] => {
                    files.kept += 1;
                    files.unseen += usize::from(kind == "picture" && !shown.contains(id));
                }
                ["gone", ..] => files.given_up += 1,
                _ => files.unsettled += 1,
            }
        }
    }
    files.missing = expected.saturating_sub(rows.len());
    let platforms = &world.platforms;
    let whatsapp = platforms.whatsapp.sent().into_iter().filter_map(|sent| Some((sent.text, sent.document?)));
    let telegram =
        platforms.telegram.sent().into_iter().filter_map(|sent| Some((sent.text, sent.document?.text)));
    for (beginning, whole) in whatsapp.chain(telegram) {
        files.sent += 1;
        files.torn += usize::from(!is_whole(&beginning, &whole));
    }
    let (slack, torn) = in_slack(world);
    files.sent += slack;
    files.torn += torn;
    files
}

/// There the beginning is a message of its own.
fn in_slack(world: &World) -> (usize, usize) {
    let messages = world.platforms.slack.messages();
    let mut beginnings: Vec<_> = messages
        .iter()
        .map(konstruct_testkit::slack::Message::shown)
        .filter(|text| text.contains(NOTE))
        .collect();
    let (mut sent, mut torn) = (0, 0);
    for file in messages.iter().flat_map(|message| &message.files) {
        sent += 1;
        match beginnings.iter().position(|beginning| is_whole(beginning, &file.text)) {
            Some(place) => drop(beginnings.swap_remove(place)),
            None => torn += 1,
        }
    }
    (sent, torn + beginnings.len())
}

fn is_whole(beginning: &str, whole: &str) -> bool {
    whole.ends_with(END) && Token::all_in(beginning) == Token::all_in(whole)
}
