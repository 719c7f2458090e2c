//! The vectors of `crates/certstatus/tests/vectors`: responses of labs at one time, each with its
//! certificate and issuer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use certstatus::message::{CertStatus, OcspResponse};
use certstatus::time::unix;
use certstatus::{Certificate, Error, Issuer, Limits, VerifiedResponse, Verifier};
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

/// The time of the vectors: 2026-03-01T12:00:00Z.
pub(crate) const NOW: u64 = 1_772_366_400;

/// The algorithms that rustls has of aws-lc-rs.
pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// A certificate, its issuer, and every file about it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) leaf: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// Responses, by the name of their file; what is in them may be wrong.
    pub(crate) responses: BTreeMap<String, Vec<u8>>,
    /// The signed part of each response that is to be trusted, and what it says.
    pub(crate) trusted: Vec<(Vec<u8>, CertStatus)>,
}

impl World {
    /// What the core makes of a response.
    pub(crate) fn verify(&self, der: &[u8], now: UnixTime) -> Result<VerifiedResponse, Error> {
        let certificate = Certificate::parse(&self.leaf).expect("a vector's certificate is one");
        let issuer = Certificate::parse(&self.issuer).expect("a vector's issuer is one");
        let issuer = Issuer::from_certificate(&issuer);
        Verifier::new(algorithms()).verify(der, &certificate, &issuer, now)
    }
}

/// All the vectors.
#[derive(Debug)]
pub(crate) struct Vectors {
    /// By the name of their directory.
    pub(crate) worlds: BTreeMap<String, World>,
    pub(crate) requests: Vec<Vec<u8>>,
}

static ALL: LazyLock<Vectors> = LazyLock::new(Vectors::read);

impl Vectors {
    pub(crate) fn all() -> &'static Self {
        &ALL
    }

    /// The world of that name.
    pub(crate) fn world(&self, name: &str) -> &World {
        self.worlds.get(name).expect("a directory of the vectors")
    }

    /// Every response of every world.
    pub(crate) fn responses(&self) -> impl Iterator<Item = &[u8]> {
        self.worlds.values().flat_map(|world| world.responses.values().map(Vec::as_slice))
    }

    fn read() -> Self {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/certstatus/tests/vectors");
        let mut requests = Vec::new();
        let mut worlds = BTreeMap::new();
        for directory in entries(&root).into_iter().filter(|path| path.is_dir()) {
            let file = |name: &str| std::fs::read(directory.join(name)).expect("a vector's file");
            let mut world = World {
                leaf: file("leaf.crt"),
                issuer: file("issuer.crt"),
                responses: BTreeMap::new(),
                trusted: Vec::new(),
            };
            for path in entries(&directory) {
                let name = name_of(&path);
                if name.ends_with("-request.der") && directory.ends_with("hashes") {
                    requests.push(file(&name));
                } else if name.ends_with(".der") {
                    world.responses.insert(name.clone(), file(&name));
                }
            }
            world.trusted =
                world.responses.values().filter_map(|der| trusted(&world, der)).collect();
            worlds.insert(name_of(&directory), world);
        }
        assert!(worlds.len() > 10 && !requests.is_empty(), "the vectors are not where they were");
        Self { worlds, requests }
    }
}

/// The signed part of a response that verifies as it is, and its status.
fn trusted(world: &World, der: &[u8]) -> Option<(Vec<u8>, CertStatus)> {
    let status = world.verify(der, unix(NOW)).ok()?.status();
    match OcspResponse::parse(der, &Limits::default()).ok()? {
        OcspResponse::Successful(basic) => Some((basic.tbs_der().to_vec(), status)),
        OcspResponse::Unsuccessful(_) => None,
    }
}

/// What is in a directory, in order.
pub(crate) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the vectors can be read");
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
