//! Inbox, lease and outbox against a model of them, in random order and with workers that come too late.

use std::collections::BTreeMap;
use std::time::Duration;

use konstruct_domain::ConversationId;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::Speaker;
use konstruct_domain::revision::Revision;
use konstruct_store::{Claim, Error, OutboxItem, Turn, TurnOutcome};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::{Executor, PgConnection};

use crate::world::{Tenant, World, message, tenant, web_chat};

const LEASE: Duration = Duration::from_mins(10);
const CONVERSATIONS: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
    Say(u8),
    Claim,
    /// By the holder of some claim, which may have lost it.
    Complete(usize),
    GiveBack(usize),
    /// All leases run out, of conversations and of replies.
    Expire,
    ClaimReply,
    Sent(usize),
    SendAgain(usize, bool),
    Dead(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CONVERSATIONS).prop_map(Step::Say),
        4 => Just(Step::Claim),
        3 => any::<usize>().prop_map(Step::Complete),
        1 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::Expire),
        4 => Just(Step::ClaimReply),
        3 => any::<usize>().prop_map(Step::Sent),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, doubt)| Step::SendAgain(which, doubt)),
        1 => any::<usize>().prop_map(Step::Dead),
    ]
}

/// What must be true.
#[derive(Debug, Default)]
struct Model {
    /// Messages that wait, in their order, and how the holder of a lease is called.
    waiting: Vec<(u8, String)>,
    leases: BTreeMap<u8, Lease>,
    history: BTreeMap<u8, Vec<String>>,
    replies: Vec<Reply>,
}

/// Whoever holds it may finish, also when it has run out, until somebody else has taken it.
#[derive(Clone, Copy, Debug)]
struct Lease {
    fence: i64,
    expired: bool,
}

#[derive(Debug)]
struct Reply {
    id: ReplyId,
    conversation: u8,
    lease: Option<Lease>,
    in_doubt: bool,
}

struct Run<'a> {
    world: &'a World,
    tenant: Tenant,
    admin: PgConnection,
    model: Model,
    claims: Vec<Claim>,
    items: Vec<OutboxItem>,
    said: u32,
}

impl Run<'_> {
    fn number(&self, id: ConversationId) -> u8 {
        let derive = |n: &u8| ConversationId::derive(self.tenant.id, &web_chat().name, &format!("c{n}"));
        (0..CONVERSATIONS).find(|n| derive(n) == id).unwrap()
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Say(conversation) => self.say(conversation).await,
            Step::Claim => self.claim().await,
            Step::Complete(which) => self.complete(which).await,
            Step::GiveBack(which) => self.give_back(which).await,
            Step::Expire => self.expire().await,
            Step::ClaimReply => self.claim_reply().await,
            Step::Sent(which) => self.end_reply(which, Step::Sent(which)).await,
            Step::SendAgain(which, _) | Step::Dead(which) => self.end_reply(which, step).await,
        }
    }

    async fn say(&mut self, conversation: u8) {
        self.said += 1;
        let message = message(&format!("c{conversation}"), self.said);
        self.world.gateway.accept(self.tenant.id, &web_chat(), &message).await.unwrap();
        self.model.waiting.push((conversation, message.text));
    }

    async fn claim(&mut self) {
        let leases = &self.model.leases;
        let free =
            |(conversation, _): &&(u8, String)| leases.get(conversation).is_none_or(|lease| lease.expired);
        let expected = self.model.waiting.iter().find(free).map(|(conversation, _)| *conversation);
        let claim = self.tenant.runtime.claim("worker", LEASE).await.unwrap();
        assert_eq!(claim.as_ref().map(|claim| self.number(claim.conversation)), expected, "{:?}", self.model);
        let Some(claim) = claim else { return };
        let conversation = expected.unwrap();
        let texts: Vec<_> = claim.messages.iter().map(|message| message.text.clone()).collect();
        assert_eq!(texts, self.waiting(conversation));
        self.model.leases.insert(conversation, Lease { fence: claim.fence, expired: false });
        self.claims.push(claim);
    }

    fn waiting(&self, conversation: u8) -> Vec<String> {
        let of = self.model.waiting.iter().filter(|(of, _)| *of == conversation);
        of.map(|(_, text)| text.clone()).collect()
    }

    fn holds(&self, claim: &Claim) -> Option<u8> {
        let conversation = self.number(claim.conversation);
        let lease = self.model.leases.get(&conversation);
        lease.is_some_and(|lease| lease.fence == claim.fence).then_some(conversation)
    }

    async fn complete(&mut self, which: usize) {
        let Some(claim) = pick(&self.claims, which) else { return };
        let turn = Turn {
            reply: format!("reply to {}", claim.messages.len()),
            outcome: TurnOutcome::Answered,
            agent_revision: Revision::from_stored("r".to_owned()),
            provider: None,
            model: None,
            tokens_in: 0,
            tokens_out: 0,
            elapsed: Duration::ZERO,
            files: Vec::new(),
        };
        let completed = self.tenant.runtime.complete(&claim, &turn).await;
        let Some(conversation) = self.holds(&claim) else {
            assert!(matches!(completed, Err(Error::LeaseLost)), "{completed:?}");
            return;
        };
        let history = self.model.history.entry(conversation).or_default();
        history.extend(claim.messages.iter().map(|message| message.text.clone()));
        history.push(turn.reply);
        let completed = completed.unwrap();
        assert_eq!(completed.last_seq, i64::try_from(history.len()).unwrap());
        let answered: Vec<_> = claim.messages.iter().map(|message| message.text.clone()).collect();
        self.model.waiting.retain(|(_, text)| !answered.contains(text));
        self.model.leases.remove(&conversation);
        let reply = Reply { id: completed.reply, conversation, lease: None, in_doubt: false };
        self.model.replies.push(reply);
    }

    async fn give_back(&mut self, which: usize) {
        let Some(claim) = pick(&self.claims, which) else { return };
        let given = self.tenant.runtime.retry_later(&claim, Duration::ZERO).await;
        match self.holds(&claim) {
            Some(conversation) => {
                given.unwrap();
                self.model.leases.remove(&conversation);
            }
            None => assert!(matches!(given, Err(Error::LeaseLost)), "{given:?}"),
        }
    }

    async fn expire(&mut self) {
        let tenant = self.tenant.id;
        let statement = format!(
            "update konstruct.conversation_state set lease_until = now() - interval '1 s' where tenant_id = '{tenant}'
                 and lease_until is not null;
             update konstruct.outbox set lease_until = now() - interval '1 s' where tenant_id = '{tenant}'
                 and lease_until is not null"
        );
        self.admin.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await.unwrap();
        let replies = self.model.replies.iter_mut().filter_map(|reply| reply.lease.as_mut());
        self.model.leases.values_mut().chain(replies).for_each(|lease| lease.expired = true);
    }

    async fn claim_reply(&mut self) {
        let first = |reply: &&Reply| {
            let of = self.model.replies.iter().find(|other| other.conversation == reply.conversation);
            of.is_some_and(|other| other.id == reply.id) && reply.lease.is_none_or(|lease| lease.expired)
        };
        let expected = self.model.replies.iter().find(first).map(|reply| (reply.id, reply.in_doubt));
        let item = self.world.gateway.claim_outbox(self.tenant.id, "sender").await.unwrap();
        assert_eq!(item.as_ref().map(|item| (item.reply, item.in_doubt)), expected, "{:?}", self.model);
        let Some(item) = item else { return };
        let reply = self.model.replies.iter_mut().find(|reply| reply.id == item.reply).unwrap();
        (reply.lease, reply.in_doubt) = (Some(Lease { fence: item.fence, expired: false }), true);
        self.items.push(item);
    }

    async fn end_reply(&mut self, which: usize, step: Step) {
        let Some(item) = pick(&self.items, which) else { return };
        let (gateway, tenant) = (&self.world.gateway, self.tenant.id);
        let ended = match step {
            Step::SendAgain(_, doubt) => {
                gateway.outbox_retry(tenant, &item, Duration::ZERO, "again", false, doubt).await
            }
            Step::Dead(_) => gateway.outbox_dead(tenant, &item, "dead").await,
            _ => gateway.outbox_sent(tenant, &item, Some("1.0")).await,
        };
        let held = |reply: &Reply| reply.lease.is_some_and(|lease| lease.fence == item.fence);
        let at = self.model.replies.iter().position(|reply| reply.id == item.reply && held(reply));
        let Some(at) = at else {
            assert!(matches!(ended, Err(Error::LeaseLost)), "{ended:?}");
            return;
        };
        ended.unwrap();
        if let Step::SendAgain(_, doubt) = step {
            (self.model.replies[at].lease, self.model.replies[at].in_doubt) = (None, doubt);
        } else {
            self.model.replies.remove(at);
        }
    }

    /// After everything is done, all that was said is in the history once, in its order.
    async fn finish(mut self) {
        let statement = format!(
            "update konstruct.conversation_state set lease_owner = null, lease_until = null where tenant_id = '{}'",
            self.tenant.id
        );
        self.admin.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await.unwrap();
        self.model.leases.clear();
        while !self.model.waiting.is_empty() {
            self.claim().await;
            self.complete(0).await;
        }
        for (conversation, expected) in &self.model.history {
            let id = ConversationId::derive(self.tenant.id, &web_chat().name, &format!("c{conversation}"));
            let lines = self.world.gateway.chat_lines(self.tenant.id, id, 0).await.unwrap();
            let said: Vec<_> = lines.iter().map(|line| line.text.clone()).collect();
            assert_eq!(&said, expected);
            assert!(lines.iter().zip(1..).all(|(line, seq)| line.seq == seq));
            let persons = lines.iter().filter(|line| line.speaker == Speaker::Person).count();
            assert_eq!(persons, said.iter().filter(|text| text.starts_with("message")).count());
        }
    }
}

/// The newest most often: an old one has been lost for long.
fn pick<T: Clone>(all: &[T], which: usize) -> Option<T> {
    let from_the_end = which % all.len().clamp(1, 3);
    all.iter().rev().nth(from_the_end).cloned()
}

#[test]
fn any_order_of_steps_keeps_the_promises() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let mut runner = TestRunner::new(Config {
        cases: 12,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let steps = proptest::collection::vec(step(), 1..60);
    let checked = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let tenant = tenant(&world.database, &world.operator, "sm").await;
            let admin = world.database.admin().await;
            let mut run = Run {
                world: &world,
                tenant,
                admin,
                model: Model::default(),
                claims: Vec::new(),
                items: Vec::new(),
                said: 0,
            };
            for step in steps {
                run.step(step).await;
            }
            run.finish().await;
        });
        Ok(())
    });
    checked.unwrap();
}
