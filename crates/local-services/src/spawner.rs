//! The thread that starts the servers.
//!
//! The kernel sends the parent-death signal when the *thread* that started a process ends. Threads of a test and of an
//! async runtime's blocking pool end early, so one thread that lives as long as the process starts everything.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

type Order = (Command, SyncSender<io::Result<Child>>);

static SPAWNER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();

pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts servers has ended");
    let spawner = SPAWNER.get_or_init(|| Mutex::new(run()));
    spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn run() -> Sender<Order> {
    let (orders, inbox) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            // A caller that no longer waits has dropped the whole service.
            let _ = reply.send(command.spawn());
        }
    });
    orders
}
