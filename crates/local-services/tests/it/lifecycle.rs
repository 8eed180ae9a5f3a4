use std::net::TcpStream;
use std::path::Path;

use konstruct_local_services::{Dir, Error, LocalServices, Options};

fn start(dir: Dir) -> Result<LocalServices, Error> {
    LocalServices::start(&Options { dir, durable: false })
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap()
}

fn listens(url: &str) -> bool {
    TcpStream::connect(("127.0.0.1", port_of(url))).is_ok()
}

#[test]
fn each_server_stops_and_starts_alone_on_its_port() {
    let services = start(Dir::Temporary).unwrap();
    let (database, redis) = (services.database_url().to_owned(), services.redis_url().to_owned());
    assert!(listens(&database) && listens(&redis));

    services.stop_postgres().unwrap();
    assert!(!listens(&database) && listens(&redis));
    services.start_postgres().unwrap();
    services.stop_redis().unwrap();
    assert!(listens(&database) && !listens(&redis));
    services.start_redis().unwrap();
    assert!(listens(&redis));

    drop(services);
    assert!(!listens(&database) && !listens(&redis));
}

#[test]
fn a_kept_folder_serves_one_process_and_again_later() {
    let base = tempfile::tempdir().unwrap();
    open_to_all(base.path());
    let dir = Dir::Persistent(base.path().join("state"));
    let first = start(dir.clone()).unwrap();
    let password = first.database_url().split('@').next().unwrap().to_owned();
    assert!(matches!(start(dir.clone()), Err(Error::InUse { .. })));
    drop(first);
    let second = start(dir).unwrap();
    assert_eq!(second.database_url().split('@').next().unwrap(), password);
}

#[test]
fn servers_started_on_a_thread_outlive_it() {
    let services = std::thread::spawn(|| start(Dir::Temporary).unwrap()).join().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(listens(services.database_url()) && listens(services.redis_url()));
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
