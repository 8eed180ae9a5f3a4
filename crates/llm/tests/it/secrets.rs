//! Nothing secret or personal gets into a log, at any level, of any library on the way.

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex};

use konstruct_llm::collect;
use konstruct_testkit::llm::{API_KEY, Fault};
use tracing_subscriber::fmt::MakeWriter;

use super::{anthropic_with_key, ask, both, hello, openai_with_key};

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

#[test]
fn neither_keys_nor_bodies_are_logged() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    // One thread, so that every library's events meet this subscriber.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shown = tracing::subscriber::with_default(subscriber, || runtime.block_on(exercise()));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("127.0.0.1"), "the client's own events were captured:\n{log}");
    for secret in [API_KEY, "sk-wrong-key", "PERSONAL-TEXT", "SECRET-BODY-TEXT"] {
        assert!(!log.contains(secret), "{secret} in the log");
        assert!(!shown.contains(secret), "{secret} in an error or in Debug");
    }
}

/// Answers, refusals and failures; returns everything that our own types show of themselves.
async fn exercise() -> String {
    let mut shown = String::new();
    for pair in both().await {
        collect(ask(&pair.provider, &hello()).await.unwrap()).await.unwrap();
        for fault in [Fault::Status(400), Fault::Status(500), Fault::Reset, Fault::ErrorAfter(0, "api_error")]
        {
            pair.double.fail_next(fault);
            let failed = match ask(&pair.provider, &hello()).await {
                Ok(stream) => collect(stream).await.unwrap_err(),
                Err(error) => error,
            };
            writeln!(shown, "{failed} {failed:?} {:?}", pair.provider).unwrap();
        }
    }
    for pair in [anthropic_with_key("sk-wrong-key").await, openai_with_key("sk-wrong-key").await] {
        let error = ask(&pair.provider, &hello()).await.err().unwrap();
        writeln!(shown, "{error} {error:?} {:?}", pair.provider).unwrap();
    }
    shown
}
