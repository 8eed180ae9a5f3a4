//! What was sent against what was read, in the terms of Jepsen's total-queue checker. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::SystemTime;

use crate::files::Files;
use crate::world::TENANTS;

/// Where something was said: a tenant's number and a conversation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) tenant: usize,
    pub(crate) conversation: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Slack,
    WebChat,
    WhatsApp,
    Telegram,
}

impl Place {
    /// Tenants and channels take turns.
    pub(crate) const fn channel(self) -> Channel {
        match (self.conversation / TENANTS) % 4 {
            0 => Channel::Slack,
            1 => Channel::WebChat,
            2 => Channel::WhatsApp,
            _ => Channel::Telegram,
        }
    }
}

/// One message; its number counts within its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) place: Place,
    pub(crate) number: usize,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}-{}-{}", self.place.tenant, self.place.conversation, self.number)
    }
}

impl Token {
    /// All tokens of a text, in their order.
    pub(crate) fn all_in(text: &str) -> Vec<Self> {
        text.split(|c: char| c.is_whitespace() || c == ',').filter_map(Self::parse).collect()
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.strip_prefix('#')?.split('-').map(str::parse);
        let (tenant, conversation) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let number = numbers.next()?.ok()?;
        numbers.next().is_none().then_some(Self { place: Place { tenant, conversation }, number })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) token: Token,
    pub(crate) has_file: bool,
    /// When the channel got its 2xx; none if it gave up.
    pub(crate) acknowledged: Option<SystemTime>,
}

/// What people read in one place, in the order in which they read it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) place: Place,
    pub(crate) at: SystemTime,
    pub(crate) text: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    attempted: usize,
    acknowledged: usize,
    acknowledged_in_whatsapp: usize,
    replied: usize,
    /// Not acknowledged and yet replied to: the commit was faster than the kill.
    recovered: usize,
    /// Not acknowledged within the channel's retries, and not replied to: the channel knows, and nothing is promised.
    refused: BTreeSet<Token>,
    /// Not seen, and kept for somebody to decide whether the platform has it.
    flagged: BTreeSet<Token>,
    /// Calls of WhatsApp that were left without an answer.
    pub(crate) unheard: BTreeSet<Token>,
    lost: BTreeSet<Token>,
    duplicated: BTreeSet<Token>,
    reordered: BTreeSet<Token>,
    wrong_tenant: BTreeSet<Token>,
    /// Replies to nothing that was sent.
    unexpected: Vec<String>,
    longest: f64,
    pub(crate) files: Files,
}

pub(crate) fn check(sent: &[Sent], replies: &[Reply], flagged: &BTreeSet<Token>) -> Report {
    let acknowledged: BTreeMap<Token, Option<SystemTime>> =
        sent.iter().map(|sent| (sent.token, sent.acknowledged)).collect();
    let with_2xx = || sent.iter().filter(|sent| sent.acknowledged.is_some());
    let mut report = Report {
        attempted: sent.len(),
        acknowledged: with_2xx().count(),
        acknowledged_in_whatsapp: with_2xx().filter(|sent| in_whatsapp(&sent.token)).count(),
        ..Report::default()
    };
    let mut answered = BTreeSet::new();
    let mut newest: BTreeMap<Place, usize> = BTreeMap::new();
    for reply in replies {
        let tokens = Token::all_in(&reply.text);
        if tokens.is_empty() {
            report.unexpected.push(reply.text.clone());
        }
        for token in tokens {
            if token.place != reply.place {
                report.wrong_tenant.insert(token);
                continue;
            }
            let Some(acknowledged) = acknowledged.get(&token) else {
                report.unexpected.push(token.to_string());
                continue;
            };
            if !answered.insert(token) {
                report.duplicated.insert(token);
                continue;
            }
            let newest = newest.entry(reply.place).or_default();
            // What was given up may be committed at any time later: the next one was written before.
            if token.number < *newest && acknowledged.is_some() {
                report.reordered.insert(token);
            }
            *newest = token.number.max(*newest);
            let waited = acknowledged.and_then(|at| reply.at.duration_since(at).ok());
            report.longest = report.longest.max(waited.map_or(0.0, |waited| waited.as_secs_f64()));
        }
    }
    for (token, acknowledged) in acknowledged {
        match (acknowledged.is_some(), answered.contains(&token)) {
            (true, true) => report.replied += 1,
            (true, false) if flagged.contains(&token) => drop(report.flagged.insert(token)),
            (true, false) => drop(report.lost.insert(token)),
            (false, true) => report.recovered += 1,
            (false, false) => drop(report.refused.insert(token)),
        }
    }
    report
}

fn in_whatsapp(token: &Token) -> bool {
    token.place.channel() == Channel::WhatsApp
}

impl Report {
    pub(crate) const fn lost(&self) -> &BTreeSet<Token> {
        &self.lost
    }

    pub(crate) fn is_clean(&self) -> bool {
        // A run in which nothing was acknowledged proves nothing.
        self.acknowledged > 0
            && self.lost.is_empty()
            && self.duplicated.is_empty()
            && self.reordered.is_empty()
            && self.wrong_tenant.is_empty()
            && self.unexpected.is_empty()
            && self.files.is_clean()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "attempted     {}", self.attempted)?;
        writeln!(f, "acknowledged  {}", self.acknowledged)?;
        writeln!(f, "replied       {}", self.replied)?;
        writeln!(f, "recovered     {}", self.recovered)?;
        for (name, tokens) in [
            ("refused", &self.refused),
            ("flagged", &self.flagged),
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("reordered", &self.reordered),
            ("wrong tenant", &self.wrong_tenant),
        ] {
            write!(f, "{name:<13} {}", tokens.len())?;
            tokens.iter().take(10).try_for_each(|token| write!(f, " {token}"))?;
            writeln!(f)?;
        }
        let doubtful = || self.flagged.iter().filter(|token| in_whatsapp(token));
        writeln!(
            f,
            "of WhatsApp   flagged {} of {} acknowledged, {} of them because WhatsApp left a call without an answer",
            doubtful().count(),
            self.acknowledged_in_whatsapp,
            doubtful().filter(|token| self.unheard.contains(token)).count()
        )?;
        writeln!(
            f,
            "unexpected    {} {:?}",
            self.unexpected.len(),
            self.unexpected.iter().take(3).collect::<Vec<_>>()
        )?;
        writeln!(f, "{}", self.files)?;
        write!(f, "unanswered longest {:.1} s", self.longest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(sent: &[Sent], replies: &[Reply]) -> Report {
        super::check(sent, replies, &BTreeSet::new())
    }

    fn token(text: &str) -> Token {
        Token::parse(text).unwrap()
    }

    fn sent(text: &str) -> Sent {
        Sent { token: token(text), has_file: false, acknowledged: Some(SystemTime::UNIX_EPOCH) }
    }

    fn reply(place: (usize, usize), text: &str) -> Reply {
        let place = Place { tenant: place.0, conversation: place.1 };
        Reply { place, at: SystemTime::UNIX_EPOCH + Duration::from_secs(3), text: text.to_owned() }
    }

    #[test]
    fn what_went_well_is_clean() {
        let messages = [sent("#0-1-1"), sent("#0-1-2"), sent("#2-5-1")];
        let replies = [
            reply((0, 1), "I'm an AI.\n\nre #0-1-1"),
            reply((2, 5), "re #2-5-1"),
            reply((0, 1), "re #0-1-2"),
        ];
        let report = check(&messages, &replies);
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.replied, report.longest), (3, 3.0));
    }

    #[test]
    fn each_failure_is_seen() {
        let messages = [sent("#0-1-1"), sent("#0-1-2"), sent("#0-1-3")];
        let all = "#0-1-1 #0-1-2 #0-1-3";
        assert_eq!(check(&messages, &[reply((0, 1), "#0-1-1 #0-1-3")]).lost, [token("#0-1-2")].into());
        let twice = [reply((0, 1), all), reply((0, 1), "#0-1-2")];
        assert_eq!(check(&messages, &twice).duplicated, [token("#0-1-2")].into());
        let late = [reply((0, 1), "#0-1-3"), reply((0, 1), "#0-1-1 #0-1-2")];
        assert_eq!(check(&messages, &late).reordered, [token("#0-1-1"), token("#0-1-2")].into());
        for elsewhere in [(1, 1), (0, 2)] {
            let report = check(&messages, &[reply(elsewhere, all)]);
            assert_eq!((report.wrong_tenant.len(), report.lost.len()), (3, 3));
        }
        let strange = [reply((0, 1), all), reply((0, 1), "Sorry."), reply((0, 1), "#0-1-9")];
        assert_eq!(check(&messages, &strange).unexpected, ["Sorry.", "#0-1-9"]);
        assert!(!check(&[], &[]).is_clean(), "nothing sent proves nothing");
    }

    #[test]
    fn what_is_in_doubt_is_flagged_unless_it_was_seen() {
        let messages = [sent("#0-1-1"), sent("#0-1-2")];
        let flagged = [token("#0-1-1"), token("#0-1-2")].into();
        let report = super::check(&messages, &[reply((0, 1), "#0-1-2")], &flagged);
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.flagged, report.replied), ([token("#0-1-1")].into(), 1));
    }

    #[test]
    fn a_message_that_was_refused_may_be_answered_or_not() {
        let refused = [Sent { acknowledged: None, ..sent("#0-1-1") }, sent("#0-1-2")];
        assert!(check(&refused, &[reply((0, 1), "#0-1-2")]).is_clean());
        assert_eq!(check(&refused, &[reply((0, 1), "#0-1-1 #0-1-2")]).recovered, 1);
        let late = check(&refused, &[reply((0, 1), "#0-1-2"), reply((0, 1), "#0-1-1")]);
        assert!(late.is_clean(), "{late}");
    }
}
