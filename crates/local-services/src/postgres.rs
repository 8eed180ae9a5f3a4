//! PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::directory::Directory;
use crate::process::{self, Server};
use crate::{Error, install};

const SUPERUSER: &str = "postgres";
/// How long a server that lost its parent may take to shut down before we start ours on its data.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    log: PathBuf,
    account: Account,
    durable: bool,
    port: u16,
    url: String,
    running: Mutex<Option<Server>>,
}

impl Postgres {
    /// Finds the programs and initialises the data folder if there is none.
    pub(crate) fn new(directory: &Directory, account: Account, durable: bool) -> Result<Self, Error> {
        let programs = install::postgres()?;
        account.check_reachable(&programs)?;
        let password_file = directory.join("postgres-password");
        let password = process::password(&password_file)?;
        account.own(&password_file)?;
        // Data of one major version cannot be read by another.
        let data = directory.join(&format!("postgres-{}", major_version(&programs)));
        let port = process::free_port()?;
        let url = format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres");
        let log = directory.join("postgres.log");
        let postgres = Self { programs, data, log, account, durable, port, url, running: Mutex::new(None) };
        if !postgres.data.join("PG_VERSION").exists() {
            postgres.initialise(&password_file)?;
        }
        Ok(postgres)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn start(&self) -> Result<(), Error> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            self.wait_for_predecessor();
            let ready = |pid| status_is_ready(&self.data.join("postmaster.pid"), pid);
            let program = self.programs.join("postgres");
            *running = Some(Server::start(&self.account, &program, &self.arguments(), &self.log, ready)?);
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

    fn initialise(&self, password_file: &Path) -> Result<(), Error> {
        // Half a data folder of an interrupted start.
        if self.data.exists() {
            fs::remove_dir_all(&self.data).map_err(Error::file("remove", &self.data))?;
        }
        let arguments = [
            format!("--pgdata={}", self.data.display()),
            format!("--username={SUPERUSER}"),
            format!("--pwfile={}", password_file.display()),
            "--auth=scram-sha-256".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--locale=C.UTF-8".to_owned(),
            "--no-sync".to_owned(),
            "--no-instructions".to_owned(),
        ];
        process::run(&self.account, &self.programs.join("initdb"), &arguments, &self.log)
    }

    fn arguments(&self) -> Vec<String> {
        let mut settings = vec![
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            // A socket's path may have 107 bytes only, and nobody needs one here.
            "unix_socket_directories=".to_owned(),
            "max_connections=300".to_owned(),
        ];
        if !self.durable {
            settings
                .extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
        }
        let mut arguments = vec!["-D".to_owned(), self.data.display().to_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        arguments
    }

    /// A killed parent leaves a server that is just shutting down, and PostgreSQL refuses to start beside it.
    fn wait_for_predecessor(&self) {
        let pid_file = self.data.join("postmaster.pid");
        let began = Instant::now();
        while began.elapsed() < PREDECESSOR_TIMEOUT && names_a_running_server(&pid_file) {
            sleep(Duration::from_millis(50));
        }
    }
}

/// The first line of `postmaster.pid` is the process id, the eighth the status: what `pg_ctl --wait` looks at.
fn status_is_ready(pid_file: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(pid_file) else { return false };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn names_a_running_server(pid_file: &Path) -> bool {
    let Ok(text) = fs::read_to_string(pid_file) else { return false };
    let pid = text.lines().next().unwrap_or_default().trim();
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
}

/// The major version by the installation's own header, else its folder's name; only to keep data folders apart.
fn major_version(programs: &Path) -> String {
    let output = std::process::Command::new(programs.join("postgres")).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let digits = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    digits.and_then(|word| word.split('.').next()).unwrap_or("unknown").to_owned()
}
