//! The files of the messages that a turn answers: pictures for models that see them, words for everything else. Bytes
//! never come here: the model's door knows where they are.

use std::borrow::Cow;

use konstruct_domain::file::FileKind;
use konstruct_domain::message::PICTURE;
use konstruct_store::{Claim, Error, FileState, MessageFile, PendingMessage};
use uuid::Uuid;

use crate::wire::{Message, Role};
use crate::worker::Worker;

/// Most pictures that one prompt has; the newest count.
const MOST: usize = 8;

/// Before a file that was not there when its message was answered.
const EARLIER: &str = "Sent earlier, and only here now: ";

/// Of one turn.
#[derive(Debug, Default)]
pub(crate) struct Files {
    all: Vec<MessageFile>,
    /// Those of them that the model is shown.
    shown: Vec<Uuid>,
}

/// Asks PostgreSQL only where a message ends as one with files does, or a file has come late.
pub(crate) async fn load(worker: &Worker, claim: &Claim) -> Result<Files, Error> {
    if !claim.late_files && !claim.messages.iter().any(|message| message.text.ends_with(']')) {
        return Ok(Files::default());
    }
    Ok(Files::new(worker.health.seen(worker.store.files(claim).await)?))
}

impl Files {
    fn new(all: Vec<MessageFile>) -> Self {
        let pictures = all.iter().filter(|file| file.state == FileState::Picture).map(|file| file.id);
        let mut shown: Vec<_> = pictures.collect();
        shown.drain(..shown.len().saturating_sub(MOST));
        Self { all, shown }
    }

    /// The messages as the model reads them: the last lines of each, which only say that there was a file, give way to
    /// what has become of it.
    pub(crate) fn told<'a>(&self, messages: &'a [PendingMessage]) -> Cow<'a, [PendingMessage]> {
        if self.all.is_empty() {
            return Cow::Borrowed(messages);
        }
        let tell = |message: &PendingMessage| {
            let of_message = self.all.iter().filter(|file| file.inbox_id == message.inbox_id);
            let notes: Vec<_> = of_message.map(|file| self.note(file)).collect();
            let lines: Vec<_> = message.text.split('\n').collect();
            let words = &lines[..lines.len().saturating_sub(notes.len())];
            let text = words.iter().copied().chain(notes.iter().map(AsRef::as_ref)).collect::<Vec<_>>();
            PendingMessage { text: text.join("\n"), ..message.clone() }
        };
        let mut told: Vec<_> = messages.iter().map(tell).collect();
        let of_earlier =
            self.all.iter().filter(|file| messages.iter().all(|message| message.inbox_id != file.inbox_id));
        let earlier: Vec<_> = of_earlier.map(|file| format!("{EARLIER}{}\n", self.note(file))).collect();
        if let Some(first) = told.first_mut() {
            first.text.insert_str(0, &earlier.concat());
        }
        Cow::Owned(told)
    }

    /// Those that the model now knows as what has become of them.
    pub(crate) fn settled(&self) -> Vec<Uuid> {
        let settled = self.all.iter().filter(|file| file.state != FileState::Wanted);
        settled.map(|file| file.id).collect()
    }

    fn note(&self, file: &MessageFile) -> Cow<'static, str> {
        let kind = FileKind::of(file.media_type.as_deref());
        let what = kind.words();
        Cow::Owned(match &file.state {
            FileState::Picture if self.shown.contains(&file.id) => return Cow::Borrowed(PICTURE),
            FileState::Picture => {
                format!("[{what} that is left out here: you are shown the newest {MOST} of them]")
            }
            FileState::Kept { bytes } => {
                format!("[{what}: {}. {}]", described(file, *bytes), cannot(kind))
            }
            FileState::Wanted => {
                format!("[{what} that has not arrived yet: say so, and ask to send it again if it matters]")
            }
            FileState::Gone { reason } => {
                format!(
                    "[{what} that could not be fetched: {reason}. Say so, and do not guess what it shows]"
                )
            }
        })
    }

    /// Everything that waits for an answer is the last message of a prompt.
    pub(crate) fn attach(self, messages: &mut [Message]) {
        if let Some(last) = messages.last_mut().filter(|message| message.role == Role::User) {
            last.pictures = self.shown;
        }
    }
}

fn described(file: &MessageFile, bytes: u64) -> String {
    let name = file.name.as_ref().map(|name| name.replace(char::is_control, " "));
    let size = match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    };
    name.into_iter().chain(file.media_type.clone()).chain([size]).collect::<Vec<_>>().join(", ")
}

const fn cannot(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Recording => "You cannot listen to it: say so, and ask to write it instead",
        FileKind::Video => "You cannot watch it: say so, and ask what it shows",
        FileKind::Picture | FileKind::Other => {
            "You cannot open it: say so, and ask for the part that matters"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inbox_id: i64, media_type: &str, state: FileState) -> MessageFile {
        let name = Some("a\nb".to_owned());
        MessageFile { inbox_id, id: Uuid::new_v4(), media_type: Some(media_type.to_owned()), name, state }
    }

    fn message(inbox_id: i64, text: &str) -> PendingMessage {
        PendingMessage { inbox_id, author_id: "U".to_owned(), text: text.to_owned(), waited_ms: 0 }
    }

    #[test]
    fn pictures_go_with_what_the_person_said_last() {
        let files = Files::new(vec![file(1, "image/png", FileState::Picture)]);
        let id = files.shown[0];
        let mut messages = [Message::new(Role::System, "s"), Message::new(Role::User, "look\n[picture]")];
        files.attach(&mut messages);
        let sent = serde_json::to_value(&messages).unwrap();
        assert_eq!(sent[0], serde_json::json!({"role": "system", "content": "s"}));
        assert_eq!(
            sent[1]["content"],
            serde_json::json!([
                {"type": "text", "text": "look\n[picture]"},
                {"type": "image_url", "image_url": {"url": format!("media:{id}")}},
            ])
        );
    }

    #[test]
    fn each_file_is_told_as_what_has_become_of_it() {
        let gone = FileState::Gone { reason: "it has expired".to_owned() };
        let files = Files::new(vec![
            file(1, "image/jpeg", FileState::Picture),
            file(1, "image/jpeg", gone),
            file(3, "application/pdf", FileState::Kept { bytes: 120_400 }),
            file(3, "audio/ogg", FileState::Kept { bytes: 12 }),
            file(4, "image/png", FileState::Wanted),
        ]);
        let messages = [
            message(1, "look:\n[x]\n[picture]\n[picture]"),
            message(2, "[picture]"),
            message(3, "[file: a b]\n[recording]"),
            message(4, "[picture]"),
        ];
        let told: Vec<_> = files.told(&messages).iter().map(|message| message.text.clone()).collect();
        assert_eq!(
            told,
            [
                "look:\n[x]\n[picture]\n[a picture that could not be fetched: it has expired. Say so, and do not guess what \
                 it shows]",
                "[picture]",
                "[a file: a b, application/pdf, 120 kB. You cannot open it: say so, and ask for the part that matters]\n\
                 [a recording: a b, audio/ogg, 12 bytes. You cannot listen to it: say so, and ask to write it instead]",
                "[a picture that has not arrived yet: say so, and ask to send it again if it matters]",
            ]
        );
        assert_eq!(files.settled().len(), 4, "not the one that has not arrived");
        assert!(matches!(Files::default().told(&messages), Cow::Borrowed(_)));
    }

    #[test]
    fn what_came_late_is_told_before_what_is_said_now() {
        let files = Files::new(vec![
            file(1, "image/png", FileState::Picture),
            file(1, "image/png", FileState::Gone { reason: "it has expired".to_owned() }),
            file(2, "image/png", FileState::Picture),
        ]);
        let told = files.told(&[message(2, "and this?\n[picture]")])[0].text.clone();
        assert_eq!(
            told,
            "Sent earlier, and only here now: [picture]\nSent earlier, and only here now: [a picture that could not be \
             fetched: it has expired. Say so, and do not guess what it shows]\nand this?\n[picture]"
        );
        assert_eq!((files.shown.len(), files.settled().len()), (2, 3));
    }

    #[test]
    fn of_many_pictures_the_newest_are_shown_and_the_others_are_not_passed_over() {
        let files = Files::new((0..10).map(|_| file(1, "image/png", FileState::Picture)).collect());
        let text = ["[picture]"; 10].join("\n");
        let told = files.told(&[message(1, &text)])[0].text.clone();
        assert_eq!(told.matches("left out").count(), 2);
        assert!(told.ends_with(&["[picture]"; MOST].join("\n")));
        assert_eq!(files.shown, files.all[2..].iter().map(|file| file.id).collect::<Vec<_>>());
    }
}
