//! Nothing secret or personal gets into a log, at any level, of any library on the way.

use std::io;
use std::sync::{Arc, Mutex};

use konstruct_testkit::llm::{API_KEY, Fault, LlmDouble};
use secrecy::ExposeSecret;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::World;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// One thread, so that every task's events meet this subscriber.
#[tokio::test(flavor = "current_thread")]
async fn neither_keys_nor_tokens_nor_what_people_write_is_logged() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::start().await;
    let (first, second) = (LlmDouble::anthropic().await, LlmDouble::openai().await);
    let tenant = world.with_chain(&[&first, &second]).await;
    for fault in
        [Fault::Status(500), Fault::Status(400), Fault::Status(401), Fault::ErrorAfter(0, "api_error")]
    {
        first.fail_next(fault);
        world.ask_ada(&tenant).await;
    }
    first.fail_next(Fault::DropAfter(1));
    world.stream_ada(&tenant).await;
    world.ask(&tenant, &serde_json::json!({"model": "agent/ada", "messages": "PERSONAL-TEXT"})).await;
    world.until_calls(&tenant, 1).await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in ["a model gave no answer", "answered by a fallback", "an answer broke off"] {
        assert!(log.contains(said), "{said} was captured");
    }
    for secret in
        [API_KEY, tenant.token.expose_secret(), "PERSONAL-TEXT", "SECRET-BODY-TEXT", "Hello from the double"]
    {
        assert!(!log.contains(secret), "{secret} in the log");
    }
}
