//! The four tests of Chung et al., "Is the Web Ready for OCSP Must-Staple?" (IMC 2018), by which
//! neither Apache nor nginx was found to staple correctly.

use certstatus_lab::Fault;

use crate::support::{DAY, HOUR, Net, add, seconds, strict_client};

/// Before the first client comes, the response is there.
#[tokio::test(start_paused = true)]
async fn prefetch() {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    assert!(net.since() < 2, "{} s", net.since());
}

/// Clients are served from memory, and cost the responder nothing.
#[tokio::test(start_paused = true)]
async fn cache() {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    for _ in 0..24 {
        tokio::time::sleep(seconds(HOUR)).await;
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    }
    assert_eq!(net.asked(), 1);
}

/// A response is never sent after its nextUpdate.
#[tokio::test(start_paused = true)]
async fn respect_of_next_update() {
    let net = Net::new(HOUR);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    net.set_fault(Some(Fault::ConnectionReset));
    let expires = handle.current().unwrap().next_update().unwrap();
    while net.now() < expires {
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
        tokio::time::sleep(seconds(10)).await;
    }
    for _ in 0..100 {
        assert_eq!(strict_client(&handle, &leaf, net.now()), None);
        tokio::time::sleep(seconds(10)).await;
    }
    assert!(net.asked() > 10, "it goes on asking");
}

/// A response that holds is kept while the responder answers with errors.
#[tokio::test(start_paused = true)]
async fn keep_on_error() {
    for fault in [Fault::TryLater, Fault::InternalError, Fault::Http500, Fault::Timeout] {
        let net = Net::new(4 * DAY);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().start().unwrap();
        let handle = add(&stapler, &leaf).await;
        let first = handle.current().unwrap();
        net.set_fault(Some(fault));
        tokio::time::sleep(seconds(3 * DAY)).await;
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true), "{fault}");
        assert_eq!(handle.current().unwrap(), first, "{fault}");
        assert!(net.asked() > 5, "{fault}");
        net.set_fault(None);
        tokio::time::sleep(seconds(2 * HOUR)).await;
        assert_ne!(handle.current().unwrap(), first, "{fault}");
    }
}
