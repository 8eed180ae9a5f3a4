//! The admin port, asked over HTTP.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use konstruct_telemetry::{Readiness, serve_admin};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

async fn get(base: &str, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("{base}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn probes_and_metrics_answer_until_shutdown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (readiness, shutdown) = (Readiness::new(), CancellationToken::new());
    let server = tokio::spawn(serve_admin(listener, readiness.clone(), shutdown.clone()));

    assert_eq!(get(&base, "/livez").await, (200, "ok\n".to_owned()));
    let redis = readiness.check("redis");
    redis.failed("connection refused: is it running?");
    let (status, body) = get(&base, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("waiting redis: connection refused"), "{body}");
    redis.ok();
    assert_eq!(get(&base, "/readyz").await, (200, "ok redis\n".to_owned()));
    let (status, body) = get(&base, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("process_resident_memory_bytes"), "{body}");

    shutdown.cancel();
    server.await.unwrap().unwrap();
}
