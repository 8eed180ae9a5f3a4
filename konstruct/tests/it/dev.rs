//! One start, and everything that a new user does with it.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;
use uuid::Uuid;

use crate::process::Dev;

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn from_the_start_to_the_end_of_a_session() {
    let mut dev = Dev::start().await;
    assert!(dev.banner.len() < 15, "{:#?}", dev.banner);
    let http = Client::builder().no_proxy().build().unwrap();

    the_pasted_line_is_answered_in_its_thread(&dev, &http).await;
    a_thread_on_the_slack_page_goes_on(&dev, &http).await;
    each_page_has_its_own_employee(&dev, &http).await;
    an_edit_changes_the_next_reply(&mut dev, &http).await;
    a_mistake_is_named_and_the_rest_goes_on(&mut dev, &http).await;
    what_is_no_longer_declared_is_gone(&mut dev, &http).await;

    let state = dev.interrupt().await;
    assert!(state.success(), "{state}");
}

async fn the_pasted_line_is_answered_in_its_thread(dev: &Dev, http: &Client) {
    let line = dev.banner.iter().find(|line| line.starts_with("T=$(date")).unwrap();
    let pasted = Command::new("sh").args(["-c", line]).output().await.unwrap();
    assert!(pasted.status.success(), "{pasted:?}");
    let reply = slack_reply(dev, http, |message| message["channel"] == "C0GENERAL").await;
    assert!(reply["text"].as_str().unwrap().contains("My name is Ada"), "{reply}");
    assert!(reply["thread_ts"].as_str().unwrap().ends_with(".000100"), "{reply}");
}

async fn a_thread_on_the_slack_page_goes_on(dev: &Dev, http: &Client) {
    let page = dev.address("Slack ");
    let say = async |text: &str, thread_ts: &str| -> Value {
        let written = json!({"team": "T0GLOBEXDEMO", "text": text, "thread_ts": thread_ts});
        let answer = http.post(format!("{page}/messages")).json(&written).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    };
    let opening = say("Who are you?", "").await;
    let of_thread = |message: &Value| message["thread_ts"] == opening["ts"];
    let reply = slack_reply(dev, http, of_thread).await;
    assert!(reply["text"].as_str().unwrap().contains("Rosa"), "{reply}");
    say("How many days of vacation do I have?", opening["ts"].as_str().unwrap()).await;
    let leave = |message: &Value| of_thread(message) && message["text"].as_str().unwrap().contains("28 days");
    slack_reply(dev, http, leave).await;
}

async fn each_page_has_its_own_employee(dev: &Dev, http: &Client) {
    for (page, name) in [("Acme support", "Ada"), ("Acme shop", "Max"), ("Globex people desk", "Rosa")] {
        let page = dev.address(page);
        assert!(http.get(&page).send().await.unwrap().status().is_success());
        let reply = ask(http, &page, "Who are you?").await;
        assert!(reply.contains(name) && reply.contains("AI"), "{reply}");
    }
}

async fn an_edit_changes_the_next_reply(dev: &mut Dev, http: &Client) {
    dev.edit("20-acme.yaml", "displayName: Ada", "displayName: Grace");
    let began = Instant::now();
    dev.said("in force: Agent ada of Acme Tools").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let reply = ask(http, &dev.address("Acme support"), "Who are you?").await;
    assert!(reply.contains("Grace"), "{reply}");
}

async fn a_mistake_is_named_and_the_rest_goes_on(dev: &mut Dev, http: &Client) {
    dev.edit("20-acme.yaml", "provider: demo", "provider: nobody");
    let said = dev.warned("20-acme.yaml:").await;
    assert!(said.contains("spec.models[0].provider: ") && said.contains("nobody"), "{said}");
    dev.edit("20-acme.yaml", "role: sales assistant", "role: sales assistant\n  rolle: boss");
    let said = dev.warned("rolle").await;
    assert!(said.contains("20-acme.yaml:"), "{said}");
    dev.edit("30-globex.yaml", "displayName: Rosa", "displayName: Rosalind");
    dev.said("in force: Agent rosa of Globex").await;
    for (page, name) in [("Acme support", "Grace"), ("Acme shop", "Max"), ("Globex people desk", "Rosalind")]
    {
        let reply = ask(http, &dev.address(page), "Who are you?").await;
        assert!(reply.contains(name), "{reply}");
    }
}

async fn what_is_no_longer_declared_is_gone(dev: &mut Dev, http: &Client) {
    let page = dev.address("Globex people desk");
    std::fs::remove_file(dev.manifests.join("30-globex.yaml")).unwrap();
    dev.said("no longer in force: ChannelConnection people-desk of Globex").await;
    let began = Instant::now();
    while http.get(&page).send().await.unwrap().status().is_success() {
        assert!(began.elapsed() < PATIENCE, "the page is still there");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn slack_reply(dev: &Dev, http: &Client, wanted: impl Fn(&Value) -> bool) -> Value {
    let page = dev.address("Slack ");
    let began = Instant::now();
    loop {
        let messages: Vec<Value> =
            http.get(format!("{page}/messages")).send().await.unwrap().json().await.unwrap();
        if let Some(reply) =
            messages.into_iter().find(|message| message["from"] == "employee" && wanted(message))
        {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "no reply");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Opens a conversation, says something, and waits for the answer in the event stream.
async fn ask(http: &Client, page: &str, text: &str) -> String {
    let opened = http.post(format!("{page}/sessions")).send().await.unwrap().error_for_status().unwrap();
    let opened: Value = opened.json().await.unwrap();
    let token = opened["token"].as_str().unwrap();
    let message = json!({"id": Uuid::new_v4(), "text": text});
    let accepted =
        http.post(format!("{page}/messages")).bearer_auth(token).json(&message).send().await.unwrap();
    assert_eq!(accepted.status(), 202);
    let mut events = http.get(format!("{page}/events")).bearer_auth(token).send().await.unwrap();
    let mut received = String::new();
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let chunk = tokio::time::timeout(PATIENCE, events.chunk()).await.expect("an event").unwrap().unwrap();
        received.push_str(&String::from_utf8_lossy(&chunk));
        if let Some(said) = received.lines().filter_map(employee_line).next_back() {
            return said;
        }
    }
    panic!("no reply in {received}")
}

fn employee_line(line: &str) -> Option<String> {
    let data: Value = serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()?;
    (data["speaker"] == "employee").then(|| data["text"].as_str().unwrap_or_default().to_owned())
}
