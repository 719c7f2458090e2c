//! The story: five servers that a client meets, what it is told to do about each, and what it does.

use std::sync::Arc;

use certstatus::message::CrlReason;
use certstatus_lab::{Fault, LeafRequest};
use rustls::AlertDescription;
use rustls::server::ResolvesServerCert;
use rustls::version::{TLS12, TLS13};

use super::Trouble;
use super::world::{Observed, World};

/// One step, with its outcome.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) title: &'static str,
    /// What was done before the client came.
    pub(super) done: &'static str,
    /// What is to happen.
    pub(super) told: Told,
    /// Bytes of the response that the server means to staple; 0 for none.
    pub(super) to_staple: usize,
    /// What happened in TLS 1.3.
    pub(super) tls13: Observed,
    /// What happened in TLS 1.2.
    pub(super) tls12: Observed,
}

/// What the client is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Accept the server.
    Accept,
    /// Refuse it, with this alert.
    Refuse(AlertDescription),
}

impl Step {
    /// Whether all of it came out as told: the client asked, received what the server stapled, and
    /// did what it was to do, with the right alert.
    pub(super) fn is_as_told(&self) -> bool {
        let clear = (self.to_staple > 0).then_some(self.to_staple);
        self.observed_as_told(&self.tls13, None) && self.observed_as_told(&self.tls12, clear)
    }

    fn observed_as_told(&self, observed: &Observed, in_the_clear: Option<usize>) -> bool {
        let alert = match self.told {
            Told::Accept => None,
            Told::Refuse(alert) => Some(alert),
        };
        observed.asked == Some(true)
            && observed.stapled == self.to_staple
            && observed.in_the_clear == in_the_clear
            && observed.accepted == (self.told == Told::Accept)
            && observed.alert == alert
    }
}

/// Plays all steps.
///
/// # Errors
/// When a step cannot be played; what came out otherwise than told is in the steps.
pub(super) async fn play(world: &World) -> Result<Vec<Step>, Trouble> {
    use AlertDescription::{BadCertificateStatusResponse, CertificateRevoked};
    const NAME: &str = "www.lab.example";

    let leaf = world.lab.leaf(NAME)?;
    let key = world.stapled_key(&leaf)?;
    let expired = world.faulty(&leaf, Fault::Expired)?;
    let forged = world.faulty(&leaf, Fault::BadSignature)?;

    let good = world.fetch(&leaf).await?;
    key.set(good.clone())?;
    let mut steps = vec![
        Scene {
            title: "A good certificate",
            done: "The server asked the CA's responder and staples its answer.",
            told: Told::Accept,
            to_staple: good.der().len(),
        }
        .play(world, key.clone(), NAME)
        .await?,
    ];

    world.lab.revoke(&leaf, Some(CrlReason::KeyCompromise));
    let revoked = world.fetch(&leaf).await?;
    key.set(revoked.clone())?;
    steps.push(
        Scene {
            title: "A revoked certificate",
            done: "The CA revoked it; the server staples the new answer.",
            told: Told::Refuse(CertificateRevoked),
            to_staple: revoked.der().len(),
        }
        .play(world, key.clone(), NAME)
        .await?,
    );

    let must = world.lab.issue(LeafRequest::new(NAME).must_staple())?;
    let missing = Scene {
        title: "A missing staple",
        done: "The certificate says must-staple; its server staples nothing.",
        told: Told::Refuse(BadCertificateStatusResponse),
        to_staple: 0,
    };
    steps.push(missing.play(world, world.stapled_key(&must)?, NAME).await?);

    let old = Scene {
        title: "An expired staple",
        done: "The server staples an old answer, which says good.",
        told: Told::Refuse(BadCertificateStatusResponse),
        to_staple: expired.len(),
    };
    steps.push(old.play(world, World::unverified(key.clone(), expired), NAME).await?);

    let fake = Scene {
        title: "A forged staple",
        done: "The server staples an answer of its own, which says good.",
        told: Told::Refuse(BadCertificateStatusResponse),
        to_staple: forged.len(),
    };
    steps.push(fake.play(world, World::unverified(key, forged), NAME).await?);

    Ok(steps)
}

/// A step that is still to be played.
struct Scene {
    title: &'static str,
    done: &'static str,
    told: Told,
    to_staple: usize,
}

impl Scene {
    /// Lets the client meet a server with that certificate, in both versions of TLS.
    async fn play(
        self,
        world: &World,
        server: Arc<dyn ResolvesServerCert>,
        name: &str,
    ) -> Result<Step, Trouble> {
        Ok(Step {
            title: self.title,
            done: self.done,
            told: self.told,
            to_staple: self.to_staple,
            tls13: world.handshake(&server, name, &TLS13).await?,
            tls12: world.handshake(&server, name, &TLS12).await?,
        })
    }
}
