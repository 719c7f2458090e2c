//! The examples, run to their end: they assert nothing themselves, they fail when something comes
//! out otherwise than told.

#[path = "../../examples/axum_server.rs"]
#[allow(dead_code, clippy::duplicate_mod)]
mod axum_server;
#[path = "../../examples/reqwest_client.rs"]
#[allow(dead_code)]
mod reqwest_client;

use std::time::Duration;

#[tokio::test]
async fn the_axum_server_staples() {
    tokio::time::timeout(Duration::from_secs(10), axum_server::run()).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_reqwest_client_refuses_a_revoked_server() {
    tokio::time::timeout(Duration::from_secs(10), reqwest_client::run()).await.unwrap().unwrap();
}
