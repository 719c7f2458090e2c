//! Certificates in any number, and what a disk store holds of them.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;

use certstatus::time::unix;
use certstatus_lab::Lab;
use certstatus_stapler::Fingerprint;
use rustls_pki_types::UnixTime;

/// Certificates whose second, newer responses are made as well: so many are refreshed.
pub(super) const REFRESHED: usize = 1_000;

/// The directory in which it all lies: `issuer`, `leaves`, `staples`, `newer` and, made anew for each
/// size, `store`.
pub(crate) struct Population {
    directory: tempfile::TempDir,
}

impl Population {
    /// Makes so many certificates, with a staple of two hours ago each.
    pub(crate) fn make(size: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let now = UnixTime::now().as_secs();
        let (old, newer) = (unix(now - 7200), unix(now - 3600));
        let lab = Lab::builder().now(old).validity(Duration::from_secs(4 * 86_400));
        let lab = lab.build().expect("the lab");
        fs::write(at("issuer"), lab.intermediate()).expect("a file");
        let mut leaves = BufWriter::new(File::create(at("leaves")).expect("a file"));
        let mut staples = BufWriter::new(File::create(at("staples")).expect("a file"));
        let mut refreshed = BufWriter::new(File::create(at("newer")).expect("a file"));
        for number in 0..size {
            let leaf = lab.leaf(&format!("{number}.bench.example")).expect("a certificate");
            put(&mut leaves, leaf.certificate());
            put(&mut staples, &lab.respond(&leaf));
            if number < REFRESHED {
                lab.set_now(newer);
                put(&mut refreshed, &lab.respond(&leaf));
                lab.set_now(old);
            }
        }
        for file in [leaves, staples, refreshed] {
            file.into_inner()
                .map_err(|e| e.into_error())
                .and_then(|f| f.sync_all())
                .expect("written");
        }
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Makes a store that holds the staples of the first `size` certificates and nothing else.
    pub(crate) fn reset(&self, size: usize) {
        let store = self.directory().join("store");
        if store.exists() {
            fs::remove_dir_all(&store).expect("the store of another size goes");
        }
        fs::create_dir(&store).expect("a directory");
        let leaves = read(self.directory(), "leaves");
        for (leaf, staple) in leaves.zip(read(self.directory(), "staples")).take(size) {
            let path = store.join(format!("{}.der", Fingerprint::of(&leaf)));
            fs::write(path, staple).expect("a staple");
        }
    }
}

fn put(file: &mut impl Write, contents: &[u8]) {
    let length = u32::try_from(contents.len()).expect("short");
    file.write_all(&length.to_be_bytes()).and_then(|()| file.write_all(contents)).expect("written");
}

/// What was put into a file, one after another.
pub(super) fn read(directory: &Path, name: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
    let mut file = BufReader::new(File::open(directory.join(name)).expect("a file of ours"));
    std::iter::from_fn(move || {
        let mut length = [0; 4];
        file.read_exact(&mut length).ok()?;
        let mut contents = vec![0; u32::from_be_bytes(length) as usize];
        file.read_exact(&mut contents).expect("whole");
        Some(contents)
    })
}
