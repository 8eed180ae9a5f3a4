//! What the person gets to read, whatever the model said.

use konstruct_domain::disclosure;
use konstruct_domain::message::ANSWER_MAX;

use crate::agents::Employee;

/// The model said nothing.
pub(crate) const EMPTY: &str = "I have no answer to that. Could you say it in other words?";
/// No model could be reached.
pub(crate) const UNAVAILABLE: &str = "Sorry, I can't answer right now: the language model I work with can't be reached. \
     Please write again in a few minutes.";
/// The turn failed too often for reasons of our own.
pub(crate) const PARKED: &str = "Sorry, something went wrong on our side and I couldn't work on your message. \
     The failure is recorded. Please write again later.";
/// A person has stopped the answer.
const STOPPED: &str = "I've stopped, as you asked.";
/// Ends an answer that is longer than any may be.
const CUT: &str = "\n\n_The rest is left out: no answer may have more than 1 MB._";
/// For a conversation whose employee is not known (any more).
const NAMELESS_FIRST_CONTACT: &str = "I'm an AI employee.";

/// What was written until a person stopped it, and that this is not all.
pub(crate) fn stopped(so_far: &str) -> String {
    clean(so_far).map_or_else(|| STOPPED.to_owned(), |so_far| format!("{so_far}\n\n_{STOPPED}_"))
}

/// The tenant's month is used up: nothing that the person does brings an answer sooner.
pub(crate) fn used_up(resets_on: Option<&str>) -> String {
    let day =
        resets_on.map_or_else(|| "the first day of next month".to_owned(), |day| format!("{day} (UTC)"));
    format!(
        "Sorry, I can't answer right now: my company's monthly allowance for the language model I work with is used up. I can \
         answer again from {day} on, or earlier if the allowance is raised. Please write again then."
    )
}

/// The text to send. The first reply of a conversation says that it comes from an AI: code says it, so no model can
/// leave it out.
pub(crate) fn compose(text: &str, first: bool, employee: Option<&Employee>) -> String {
    let text = if first { format!("{}\n\n{text}", introduction(employee)) } else { text.to_owned() };
    bounded(text)
}

fn bounded(mut text: String) -> String {
    if text.len() > ANSWER_MAX {
        text.truncate(text.floor_char_boundary(ANSWER_MAX - CUT.len()));
        text.push_str(CUT);
    }
    text
}

fn introduction(employee: Option<&Employee>) -> String {
    employee.map_or_else(
        || NAMELESS_FIRST_CONTACT.to_owned(),
        |Employee { tenant, agent }| {
            disclosure::first_contact(&agent.snapshot.display_name, &tenant.snapshot.display_name)
        },
    )
}

/// A model's text without what no channel shows and PostgreSQL does not store. None when nothing is left.
pub(crate) fn clean(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_and_nothing_is_nothing() {
        assert_eq!(clean(" a\0b\r\n\tc\u{1b}[0m ").as_deref(), Some("ab\n\tc[0m"));
        for nothing in ["", " \n ", "\0\r"] {
            assert_eq!(clean(nothing), None);
        }
    }

    #[test]
    fn the_first_reply_discloses_and_one_that_is_too_long_says_so() {
        assert_eq!(compose("Hello", false, None), "Hello");
        assert_eq!(compose("Hello", true, None), "I'm an AI employee.\n\nHello");
        let whole = "ä".repeat(ANSWER_MAX / 2);
        assert_eq!(compose(&whole, false, None), whole);
        let cut = compose(&whole, true, None);
        assert!(cut.starts_with("I'm an AI employee.") && cut.ends_with(CUT));
        assert!((ANSWER_MAX - 2..=ANSWER_MAX).contains(&cut.len()));
    }
}
