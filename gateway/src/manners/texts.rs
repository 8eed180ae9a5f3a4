//! What people are told in their language. Each text says that it comes from a machine: it may be the first they read.

use std::time::Duration;

use jiff::Zoned;
use konstruct_queue::limit::Scope;

/// One language's words. `{time}` stands for when it changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Language {
    code: &'static str,
    automatic: &'static str,
    /// The person alone wrote too much.
    too_fast: &'static str,
    /// All together did.
    too_many: &'static str,
    closed: &'static str,
}

/// English first: it stands for those that are not here.
static LANGUAGES: [Language; 8] = [
    Language {
        code: "en",
        automatic: "Automatic message from an AI assistant:",
        too_fast: "you are writing faster than I can answer. I did not take this message; please send it again in {time}.",
        too_many: "too many messages are coming in at the moment. I did not take this one; please send it again in {time}.",
        closed: "thank you for your message. Nobody is there now. It is kept, and you get an answer here from {time} on.",
    },
    Language {
        code: "de",
        automatic: "Automatische Nachricht eines KI-Assistenten:",
        too_fast: "Sie schreiben schneller, als ich antworten kann. Diese Nachricht habe ich nicht angenommen; bitte senden Sie sie in {time} noch einmal.",
        too_many: "Im Moment kommen zu viele Nachrichten an. Diese habe ich nicht angenommen; bitte senden Sie sie in {time} noch einmal.",
        closed: "Danke für Ihre Nachricht. Gerade ist niemand da. Sie ist gespeichert, und Sie bekommen hier ab {time} eine Antwort.",
    },
    Language {
        code: "fr",
        automatic: "Message automatique d’un assistant IA :",
        too_fast: "vous écrivez plus vite que je ne peux répondre. Je n’ai pas pris ce message ; renvoyez-le dans {time}, s’il vous plaît.",
        too_many: "trop de messages arrivent en ce moment. Je n’ai pas pris celui-ci ; renvoyez-le dans {time}, s’il vous plaît.",
        closed: "merci pour votre message. Personne n’est là pour le moment. Il est conservé, et vous aurez une réponse ici à partir du {time}.",
    },
    Language {
        code: "es",
        automatic: "Mensaje automático de un asistente de IA:",
        too_fast: "escribe más rápido de lo que puedo responder. No he recibido este mensaje; envíelo de nuevo en {time}, por favor.",
        too_many: "están llegando demasiados mensajes. No he recibido este; envíelo de nuevo en {time}, por favor.",
        closed: "gracias por su mensaje. Ahora no hay nadie. Queda guardado y tendrá una respuesta aquí a partir del {time}.",
    },
    Language {
        code: "it",
        automatic: "Messaggio automatico di un assistente IA:",
        too_fast: "scrive più in fretta di quanto io possa rispondere. Non ho preso questo messaggio; lo invii di nuovo tra {time}, per favore.",
        too_many: "in questo momento arrivano troppi messaggi. Non ho preso questo; lo invii di nuovo tra {time}, per favore.",
        closed: "grazie per il suo messaggio. Ora non c’è nessuno. Il messaggio è conservato e avrà una risposta qui dal {time}.",
    },
    Language {
        code: "pt",
        automatic: "Mensagem automática de um assistente de IA:",
        too_fast: "está a escrever mais depressa do que consigo responder. Não recebi esta mensagem; envie-a de novo daqui a {time}, por favor.",
        too_many: "estão a chegar demasiadas mensagens. Não recebi esta; envie-a de novo daqui a {time}, por favor.",
        closed: "obrigado pela sua mensagem. Agora não está ninguém. Fica guardada e terá uma resposta aqui a partir de {time}.",
    },
    Language {
        code: "nl",
        automatic: "Automatisch bericht van een AI-assistent:",
        too_fast: "u schrijft sneller dan ik kan antwoorden. Dit bericht heb ik niet aangenomen; stuur het over {time} nog eens.",
        too_many: "er komen nu te veel berichten binnen. Dit heb ik niet aangenomen; stuur het over {time} nog eens.",
        closed: "bedankt voor uw bericht. Er is nu niemand. Het is bewaard en u krijgt hier vanaf {time} antwoord.",
    },
    Language {
        code: "pl",
        automatic: "Automatyczna wiadomość od asystenta AI:",
        too_fast: "piszesz szybciej, niż mogę odpowiadać. Tej wiadomości nie przyjąłem; wyślij ją ponownie za {time}.",
        too_many: "przychodzi teraz zbyt wiele wiadomości. Tej nie przyjąłem; wyślij ją ponownie za {time}.",
        closed: "dziękuję za wiadomość. Teraz nikogo nie ma. Została zapisana, a odpowiedź pojawi się tutaj od {time}.",
    },
];

impl Language {
    /// The language of a tag such as `de-AT`, in whatever case; English where it is unknown.
    pub(super) fn of(tag: Option<&str>) -> &'static Self {
        let primary = tag.unwrap_or_default().trim().split(['-', '_']).next().unwrap_or_default();
        LANGUAGES.iter().find(|known| known.code.eq_ignore_ascii_case(primary)).unwrap_or(&LANGUAGES[0])
    }

    pub(super) fn too_many(&self, scope: Scope, resets_in: Duration) -> String {
        let text = match scope {
            Scope::Person | Scope::Address => self.too_fast,
            Scope::Tenant | Scope::Connection | Scope::Conversation => self.too_many,
        };
        format!("{} {}", self.automatic, text.replace("{time}", &span(resets_in)))
    }

    /// In the words of whoever set the hours, if there are any.
    pub(super) fn closed(&self, own: &str, opens: &Zoned) -> String {
        let time = format!(
            "{} ({})",
            opens.strftime("%Y-%m-%d %H:%M"),
            opens.time_zone().iana_name().unwrap_or("UTC")
        );
        let text = if own.trim().is_empty() { self.closed } else { own.trim() };
        format!("{} {}", self.automatic, text.replace("{time}", &time))
    }
}

/// Never earlier than it is.
fn span(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000).max(1);
    if seconds <= 90 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_finds_its_language_and_an_unknown_one_is_english() {
        for (tag, code) in [("de-AT", "de"), ("PT_br", "pt"), ("tlh", "en"), ("", "en"), ("e", "en")] {
            assert_eq!(Language::of(Some(tag)).code, code, "{tag}");
        }
        assert_eq!(Language::of(None).code, "en");
    }

    #[test]
    fn every_text_says_who_writes_and_when_it_changes() {
        let opens: Zoned = "2026-11-30T09:00:00+01:00[Europe/Berlin]".parse().unwrap();
        for language in &LANGUAGES {
            for scope in [Scope::Person, Scope::Tenant] {
                let text = language.too_many(scope, Duration::from_millis(19_001));
                let machine = ["AI", "KI", "IA"].iter().any(|word| text.contains(word));
                assert!(text.contains("20 s") && machine, "{text}");
            }
            let closed = language.closed("", &opens);
            assert!(closed.contains("2026-11-30 09:00 (Europe/Berlin)"), "{closed}");
        }
        let own = LANGUAGES[0].closed("We are back {time}.", &opens);
        assert!(own.starts_with("Automatic message from an AI") && own.contains("back 2026-11-30"), "{own}");
        assert_eq!(span(Duration::from_secs(91)), "2 min");
        assert_eq!(span(Duration::ZERO), "1 s");
    }
}
