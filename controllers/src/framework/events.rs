//! Events for people: one for each transition that is worth a look, on the object that the user edited.

use konstruct_crds::{Condition, ConditionStatus, ConditionType, Reason, conditions};
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::status::Root;

/// The API server refuses longer notes.
const NOTE_MAX: usize = 1024;

/// What happened to one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub type_: ConditionType,
    pub good: bool,
    pub reason: String,
    pub message: String,
}

/// Compares conditions before and after a pass. Becoming ready is news and so is every new fault; being on the way
/// is not.
pub fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Transition> {
    ConditionType::ALL.into_iter().filter_map(|type_| transition(type_, before, after)).collect()
}

fn transition(type_: ConditionType, before: &[Condition], after: &[Condition]) -> Option<Transition> {
    if matches!(type_, ConditionType::Reconciling | ConditionType::Stalled) {
        return None;
    }
    let (old, new) = (conditions::find(before, type_), conditions::find(after, type_)?);
    let changed = old.is_none_or(|old| old.status != new.status || old.reason != new.reason);
    let good = match new.status {
        ConditionStatus::True => true,
        ConditionStatus::False => false,
        ConditionStatus::Unknown => return None,
    };
    // Being good is worth a word for Ready only, or after something was wrong.
    let was_bad = old.is_some_and(|old| old.status == ConditionStatus::False);
    let worth_it = if good {
        type_ == ConditionType::Ready || was_bad && !is_on_the_way(old?)
    } else {
        !is_on_the_way(new)
    };
    (changed && worth_it && (!good || old.is_none_or(|old| old.status != new.status))).then(|| Transition {
        type_,
        good,
        reason: new.reason.clone(),
        message: new.message.clone(),
    })
}

fn is_on_the_way(condition: &Condition) -> bool {
    let waiting = [
        Reason::Reconciling,
        Reason::Deleting,
        Reason::WaitingForLoad,
        Reason::WaitingForRuntime,
        Reason::RuntimeStopped,
        Reason::ProviderNotReady,
        Reason::AgentNotReady,
    ];
    waiting.iter().any(|reason| reason.as_str() == condition.reason)
}

/// Publishes events. Never fails a pass.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    pub fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter { controller: "konstruct-operator".to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    pub async fn publish<K: Root>(&self, object: &K, transitions: Vec<Transition>) {
        for Transition { type_, good, reason, message } in transitions {
            let event = Event {
                type_: if good { EventType::Normal } else { EventType::Warning },
                reason,
                note: Some(note(type_, good, &message)),
                action: type_.as_str().to_owned(),
                secondary: None,
            };
            if let Err(error) = self.recorder.publish(&event, &object.object_ref(&())).await {
                tracing::debug!(%error, "an event was not published");
            }
        }
    }
}

fn note(type_: ConditionType, good: bool, message: &str) -> String {
    let text = format!("{type_} is {}: {message}", if good { "true" } else { "false" });
    let end = (0..=NOTE_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(type_: ConditionType, status: bool, reason: Reason) -> Condition {
        Condition::new(type_, status, reason, "message", 1)
    }

    #[test]
    fn one_event_for_each_transition_and_none_for_being_on_the_way() {
        use ConditionType::{Claimed, Loaded, Ready, ResolvedRefs};
        let waiting = [
            condition(Ready, false, Reason::WaitingForLoad),
            condition(Loaded, false, Reason::WaitingForLoad),
        ];
        let ready = [condition(Ready, true, Reason::Succeeded), condition(Loaded, true, Reason::Succeeded)];
        let broken = [
            condition(Ready, false, Reason::MissingProvider),
            condition(ResolvedRefs, false, Reason::MissingProvider),
        ];
        assert!(transitions(&[], &waiting).is_empty());
        assert_eq!(transitions(&waiting, &ready).len(), 1);
        assert!(transitions(&ready, &ready).is_empty());
        assert_eq!(transitions(&ready, &broken).len(), 2);
        assert!(transitions(&broken, &broken).is_empty());
        let claimed_elsewhere = [condition(Claimed, false, Reason::AccountConflict)];
        assert_eq!(transitions(&claimed_elsewhere, &[condition(Claimed, true, Reason::Succeeded)]).len(), 1);
    }

    #[test]
    fn a_note_is_cut_at_a_character() {
        assert!(note(ConditionType::Ready, true, &"ä".repeat(2000)).len() <= NOTE_MAX);
    }
}
