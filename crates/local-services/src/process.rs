//! One server process: started in a process group of its own, watched until it is ready, interrupted to stop.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::account::Account;
use crate::{Error, spawner};

const START_TIMEOUT: Duration = Duration::from_mins(1);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);
const LASTING_PORTS: std::ops::Range<u16> = 10_000..30_000;
const PORT_TRIES: u32 = 100;
/// How much of a log goes into an error.
const TAIL_BYTES: u64 = 2_000;

#[derive(Debug)]
pub(crate) struct Server {
    program: String,
    child: Child,
}

impl Server {
    /// Starts a program whose output goes to `log`, and waits until `ready` says yes to its process id.
    pub(crate) fn start(
        account: &Account,
        program: &Path,
        arguments: &[String],
        log: &Path,
        ready: impl Fn(u32) -> bool,
    ) -> Result<Self, Error> {
        let name = program.display().to_string();
        let child = spawner::spawn(command(account, program, arguments, log)?)
            .map_err(|source| Error::Spawn { program: name.clone(), source })?;
        let mut server = Self { program: name, child };
        server.wait_until(log, ready)?;
        Ok(server)
    }

    fn wait_until(&mut self, log: &Path, ready: impl Fn(u32) -> bool) -> Result<(), Error> {
        let began = Instant::now();
        while !ready(self.child.id()) {
            if self.has_ended()? {
                return Err(Error::Ended {
                    program: self.program.clone(),
                    log: log.to_owned(),
                    tail: tail(log),
                });
            }
            if began.elapsed() > START_TIMEOUT {
                let seconds = START_TIMEOUT.as_secs();
                return Err(Error::NotReady { program: self.program.clone(), seconds, log: log.to_owned() });
            }
            sleep(POLL);
        }
        Ok(())
    }

    fn has_ended(&mut self) -> Result<bool, Error> {
        let ended = self.child.try_wait();
        ended
            .map(|status| status.is_some())
            .map_err(|source| Error::Stop { program: self.program.clone(), source })
    }

    /// Asks the server to stop without waiting for its clients, and waits for it; kills it when it does not.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        self.interrupt();
        let began = Instant::now();
        while !self.has_ended()? {
            if began.elapsed() > STOP_TIMEOUT {
                let killed = self.child.kill().and_then(|()| self.child.wait());
                return killed
                    .map(drop)
                    .map_err(|source| Error::Stop { program: self.program.clone(), source });
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// As a crash of the machine would: at once, and nothing is finished.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|source| Error::Stop { program: self.program.clone(), source })
    }

    fn interrupt(&self) {
        // A child that has not been waited for keeps its id, so the signal cannot reach a stranger.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && let Err(error) = kill_process(pid, Signal::INT)
        {
            tracing::debug!(program = self.program, %error, "cannot interrupt");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "a local server may still be running");
        }
    }
}

/// Runs a program to its end.
pub(crate) fn run(account: &Account, program: &Path, arguments: &[String], log: &Path) -> Result<(), Error> {
    let name = program.display().to_string();
    let spawned = spawner::spawn(command(account, program, arguments, log)?);
    let status = spawned.and_then(|mut child| child.wait());
    let status = status.map_err(|source| Error::Spawn { program: name.clone(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Ended { program: name, log: log.to_owned(), tail: tail(log) })
    }
}

fn command(account: &Account, program: &Path, arguments: &[String], log: &Path) -> Result<Command, Error> {
    let output = || open_log(log);
    let launcher = account.launcher();
    let mut command = Command::new(&launcher[0]);
    command.args(&launcher[1..]).arg(program).args(arguments);
    // An own group, so that Ctrl-C reaches us first and the servers are stopped last. An own folder, because the
    // servers may not be able to enter ours.
    command.process_group(0).current_dir("/").env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
    Ok(command)
}

fn open_log(log: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).append(true).open(log).map_err(Error::file("open", log))
}

fn tail(log: &Path) -> String {
    read_tail(log).unwrap_or_else(|error| format!("(cannot read {}: {error})", PathBuf::from(log).display()))
}

fn read_tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// A port of the loopback interface that is free now, and that no connection takes before a server listens on it: below
/// those that Linux gives connections by default (`net.ipv4.ip_local_port_range`), and below a cluster's node ports.
pub fn free_port() -> Result<u16, Error> {
    let mut tries = 0;
    loop {
        let port = rand::random_range(LASTING_PORTS);
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tries < PORT_TRIES => tries += 1,
            Err(error) => return Err(Error::file("find a free port on", "127.0.0.1")(error)),
        }
    }
}

/// A password kept in a file, made at the first start.
pub(crate) fn password(file: &Path) -> Result<String, Error> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let password = hex::encode(rand::random::<[u8; 16]>());
            let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let mut created = created.map_err(Error::file("make", file))?;
            std::io::Write::write_all(&mut created, password.as_bytes())
                .map_err(Error::file("write", file))?;
            Ok(password)
        }
        Err(source) => Err(Error::File { action: "read", path: file.to_owned(), source }),
    }
}
