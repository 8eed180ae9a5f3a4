//! The connection for commands. Those of tasks that are ready at the same time go out in one write: a write of its own
//! costs each of them more than the command itself.

use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::{ConnectionLike, ConnectionManager};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tokio::sync::oneshot;

type Waiting = Vec<(Cmd, oneshot::Sender<RedisResult<Value>>)>;

/// Cheap to clone; clones share one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    manager: ConnectionManager,
    waiting: Arc<Mutex<Waiting>>,
}

impl Connection {
    pub(crate) fn new(manager: ConnectionManager) -> Self {
        Self { manager, waiting: Arc::default() }
    }

    async fn ask(&self, command: Cmd) -> RedisResult<Value> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((command, answer));
            waiting.len() == 1
        };
        if is_first {
            let gathering = Gathering(Some(Arc::clone(&self.waiting)));
            tokio::spawn(send(self.manager.clone(), gathering));
        }
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move { self.ask(command.clone()).await })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.manager.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.manager.get_db()
    }
}

/// The commands that wait for one task to send them. If that task ends before, with its runtime, whoever waits is told,
/// and the next command begins anew.
struct Gathering(Option<Arc<Mutex<Waiting>>>);

impl Gathering {
    fn all(&mut self) -> Waiting {
        let waiting = self.0.take();
        waiting
            .map(|all| std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner)))
            .unwrap_or_default()
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.all();
    }
}

async fn send(mut manager: ConnectionManager, mut gathering: Gathering) {
    // Those who are ready to ask come along. Costs nothing when nobody is.
    tokio::task::yield_now().await;
    let waiting = gathering.all().into_iter().filter(|(_, answer)| !answer.is_closed());
    let (commands, answers): (Vec<_>, Vec<_>) = waiting.unzip();
    if answers.is_empty() {
        return;
    }
    // Whoever asked may have gone away.
    match run(&mut manager, commands).await {
        Ok(results) => {
            for (answer, result) in answers.into_iter().zip(results) {
                let _ = answer.send(result);
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// An error of one command is its own; one of the connection is everybody's.
async fn run(manager: &mut ConnectionManager, commands: Vec<Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    pipeline.ignore_errors();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline.query_async(manager).await
}

/// The runtime that was to send it is shutting down.
fn stopped() -> RedisError {
    RedisError::from((ErrorKind::Io, "nobody sends commands any more"))
}
