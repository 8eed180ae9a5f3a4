//! Why the gateway does not run. The source of each, which is printed after it, says what was wrong exactly.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: check that the file is mounted and readable", path.display())]
    ReadSecretFile { path: PathBuf, source: std::io::Error },
    #[error("{} is empty; put the value into it", path.display())]
    EmptySecretFile { path: PathBuf },
    #[error("cannot listen on {address}: choose another address or stop what uses it")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot set up the store")]
    Store(#[from] konstruct_store::Error),
    #[error("cannot use the encryption key for channel secrets")]
    Key(#[from] konstruct_store::KeyError),
    #[error("cannot set up the queue")]
    Queue(#[from] konstruct_queue::Error),
    #[error("cannot set up the place for files")]
    Media(#[from] konstruct_media::Error),
    #[error(transparent)]
    Channels(#[from] konstruct_channels::SetUp),
    #[error(transparent)]
    Fault(#[from] konstruct_faults::Error),
    #[error("the HTTP server ended")]
    Serve(#[source] std::io::Error),
}
