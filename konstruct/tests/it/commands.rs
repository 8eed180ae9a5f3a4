use std::process::{Command, Output};

fn konstruct(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_konstruct")).args(arguments).output().unwrap()
}

#[test]
fn the_definitions_of_all_kinds_are_printed() {
    let output = konstruct(&["crd"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(text.matches("kind: CustomResourceDefinition").count(), konstruct_crds::all().len());
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = konstruct(&["completion", shell]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{shell}");
    }
}

#[test]
fn an_address_that_nobody_answers_is_not_healthy() {
    let output = konstruct(&["healthcheck", "http://127.0.0.1:9/readyz"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("does not answer"), "{said}");
}

#[test]
fn migrate_says_what_it_waits_for_and_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, "postgres://nobody:nothing@127.0.0.1:9/postgres\n").unwrap();
    let output = konstruct(&["migrate", "--admin-url-file", url.to_str().unwrap(), "--wait-seconds", "1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("waiting for PostgreSQL") && said.contains("gave up"), "{said}");
    assert!(!said.contains("nothing"), "{said}");
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let state = tempfile::tempdir().unwrap();
    let output = konstruct(&["dev", "no/such/folder", "--state", state.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("no/such/folder"), "{said}");
}
