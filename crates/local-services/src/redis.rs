//! Redis.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::account::Account;
use crate::directory::Directory;
use crate::process::{self, Server};
use crate::{Error, install};

const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Redis {
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    account: Account,
    port: u16,
    url: String,
    running: Mutex<Option<Server>>,
}

impl Redis {
    pub(crate) fn new(directory: &Directory, account: Account) -> Result<Self, Error> {
        let program = install::redis()?;
        let password = process::password(&directory.join("redis-password"))?;
        let data = directory.join("redis");
        fs::create_dir_all(&data).map_err(Error::file("make", &data))?;
        account.own(&data)?;
        let users = data.join("users.acl");
        // `requirepass` is ignored when there is a file of users, so the file starts with the default user.
        if !users.exists() {
            let line = format!("user default on >{password} ~* &* +@all\n");
            fs::write(&users, line).map_err(Error::file("write", &users))?;
        }
        account.own(&users)?;
        let port = process::free_port()?;
        let url = format!("redis://default:{password}@127.0.0.1:{port}/0");
        let log = directory.join("redis.log");
        Ok(Self { program, data, log, account, port, url, running: Mutex::new(None) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let arguments = self.arguments();
            let ready = |_| answers(self.port);
            *running = Some(Server::start(&self.account, &self.program, &arguments, &self.log, ready)?);
        }
        Ok(())
    }

    pub(crate) fn stop(&self) -> Result<(), Error> {
        match self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(mut server) => server.stop(),
            None => Ok(()),
        }
    }

    pub(crate) fn kill(&self) -> Result<(), Error> {
        match self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(mut server) => server.kill(),
            None => Ok(()),
        }
    }

    /// Nothing is saved but the users: Redis holds only what may be lost.
    fn arguments(&self) -> Vec<String> {
        let options = [
            ("--port", self.port.to_string()),
            ("--bind", "127.0.0.1".to_owned()),
            ("--dir", self.data.display().to_string()),
            ("--aclfile", self.data.join("users.acl").display().to_string()),
            ("--save", String::new()),
            ("--appendonly", "no".to_owned()),
            ("--daemonize", "no".to_owned()),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// Whether a server that knows users answers: it refuses us, who gave no password.
fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let ask = || -> std::io::Result<[u8; 7]> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| &answer == b"-NOAUTH")
}
