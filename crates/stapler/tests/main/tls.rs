//! The stapler behind a rustls server, over real connections and a real responder.

use std::time::Duration;

#[path = "../../examples/axum_stapler.rs"]
#[allow(dead_code)]
mod axum_stapler;

#[tokio::test]
async fn a_server_staples_and_certificates_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let example = axum_stapler::run(directory.path());
    tokio::time::timeout(Duration::from_secs(20), example).await.unwrap().unwrap();
}
