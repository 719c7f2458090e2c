//! What a program has chosen about the protocol, on a context or a connection.
//!
//! One value, shared: `SSL_new` takes the context's, and whoever changes it gets a copy of its
//! own. The provider and the configurations of a value are built once, at the first connection that
//! uses them.

use std::ffi::c_int;
use std::sync::{Arc, OnceLock};

use rustls::crypto::kx::NamedGroup;
use rustls::crypto::{CryptoProvider, SignatureScheme};
use rustls::error::Error;
use rustls::{ClientConfig, ServerConfig};

use super::ciphers::{self, Cipher};
use super::configs;
use super::credentials::Credential;
use super::groups;
use super::preferences::Preferences;
use super::signatures;
use super::status;
use super::tap::provider::PROVIDER;

/// `TLS1_2_VERSION`.
pub(crate) const TLS1_2: c_int = 0x0303;
/// `TLS1_3_VERSION`.
pub(crate) const TLS1_3: c_int = 0x0304;
/// `SSL_OP_NO_TLSv1_2`.
pub(crate) const OP_NO_TLS1_2: u64 = 1 << 27;
/// `SSL_OP_NO_TLSv1_3`.
pub(crate) const OP_NO_TLS1_3: u64 = 1 << 29;
/// `SSL_OP_CIPHER_SERVER_PREFERENCE`.
pub(crate) const OP_CIPHER_SERVER_PREFERENCE: u64 = 1 << 22;
/// `SSL_OP_NO_TICKET`.
pub(crate) const OP_NO_TICKET: u64 = 1 << 14;
/// `SSL_OP_NO_RENEGOTIATION`.
pub(crate) const OP_NO_RENEGOTIATION: u64 = 1 << 30;
/// `SSL_OP_CLEANSE_PLAINTEXT`.
pub(crate) const OP_CLEANSE_PLAINTEXT: u64 = 1 << 1;
/// `SSL_MODE_RELEASE_BUFFERS`.
pub(crate) const MODE_RELEASE_BUFFERS: u32 = 0x10;
/// `SSL_OP_IGNORE_UNEXPECTED_EOF`.
pub(crate) const OP_IGNORE_UNEXPECTED_EOF: u64 = 1 << 7;
/// The options of a new context: `SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_MIDDLEBOX_COMPAT`.
pub(crate) const DEFAULT_OPTIONS: u64 = (1 << 17) | (1 << 20);

/// The security level of a new context, as Debian builds OpenSSL.
const SECURITY_LEVEL: c_int = 2;

/// `SSL_VERIFY_PEER`.
pub(crate) const VERIFY_PEER: c_int = 1;
/// `SSL_VERIFY_FAIL_IF_NO_PEER_CERT`.
pub(crate) const VERIFY_FAIL_IF_NO_PEER_CERT: c_int = 2;

/// Everything a handshake depends on that is not C's. Cheap to copy: the large parts are shared.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The one version of a method that has one, 0 otherwise. Bounds and options do not matter then.
    pub(crate) fixed_version: c_int,
    /// The lowest version to speak, 0 for the lowest there is.
    pub(crate) min_version: c_int,
    /// The highest version to speak, 0 for the highest there is.
    pub(crate) max_version: c_int,
    /// `SSL_OP_*`.
    pub(crate) options: u64,
    /// `SSL_MODE_*`.
    pub(crate) mode: u32,
    /// Sizes that have been set.
    pub(crate) preferences: Preferences,
    /// `SSL_VERIFY_*`.
    pub(crate) verify_mode: c_int,
    /// The suites of TLS 1.2, in order of preference.
    pub(crate) cipher_list: Arc<[u16]>,
    /// The suites of TLS 1.3, in order of preference.
    pub(crate) ciphersuites: Arc<[u16]>,
    /// The groups for key exchange, in order of preference.
    pub(crate) groups: Arc<[NamedGroup]>,
    /// The signature schemes to accept and to sign with; None for OpenSSL's.
    pub(crate) schemes: Option<Arc<[SignatureScheme]>>,
    /// As `schemes`, for the client's certificate; None for the same.
    pub(crate) client_schemes: Option<Arc<[SignatureScheme]>>,
    /// The level of `SSL_CTX_set_security_level(3)`, which narrows suites, groups and schemes.
    pub(crate) security_level: c_int,
    /// What the program's security callback allows, which then decides in place of the level.
    pub(crate) allowed: Option<Arc<Allowed>>,
    /// The protocols of ALPN in wire format: each with its length before it (RFC 7301, 3.1).
    pub(crate) alpn: Arc<[u8]>,
    /// The type of status to ask for: `TLSEXT_STATUSTYPE_ocsp`, or what else was set.
    pub(crate) status_type: c_int,
    /// The certificates and keys of this side, at most one of each kind of key.
    pub(crate) credentials: Arc<[Arc<Credential>]>,
    /// The names of CAs that this side sends, in DER: a server with its request for a certificate,
    /// a client in its hello.
    pub(crate) client_ca: Arc<[Vec<u8>]>,
    /// How many tickets a TLS 1.3 server sends.
    pub(crate) tickets: usize,
    /// What separates the sessions of one program from another's.
    pub(crate) session_id_context: Arc<[u8]>,
    /// `SSL_SESS_CACHE_*`.
    pub(crate) session_cache_mode: c_int,
    /// How long a session is kept, in seconds.
    pub(crate) session_timeout: i64,
    made: Made,
}

/// What a security callback allows, of all that could be used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) versions: Vec<c_int>,
    pub(crate) suites: Vec<u16>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) schemes: Vec<SignatureScheme>,
}

/// What is made from settings, at first use: once for all connections that share them.
#[derive(Clone, Debug, Default)]
struct Made {
    provider: OnceLock<Arc<CryptoProvider>>,
    client: OnceLock<Result<Arc<ClientConfig>, Error>>,
    server: OnceLock<Result<Arc<ServerConfig>, Error>>,
}

impl Default for Settings {
    fn default() -> Self {
        let suites = |tls13: bool| -> Arc<[u16]> {
            ciphers::CIPHERS.iter().filter(|c| c.tls13 == tls13).map(|c| c.id).collect()
        };
        /// `SSL_SESS_CACHE_SERVER`.
        const CACHE_SERVER: c_int = 2;
        Self {
            fixed_version: 0,
            min_version: 0,
            max_version: 0,
            options: DEFAULT_OPTIONS,
            // SSL_MODE_AUTO_RETRY, on by default since OpenSSL 1.1.1.
            mode: 4,
            preferences: Preferences::default(),
            verify_mode: 0,
            cipher_list: suites(false),
            ciphersuites: suites(true),
            groups: Arc::new(groups::DEFAULT_GROUPS),
            schemes: None,
            client_schemes: None,
            security_level: SECURITY_LEVEL,
            allowed: None,
            alpn: Arc::new([]),
            status_type: status::NOTHING,
            credentials: Arc::new([]),
            client_ca: Arc::new([]),
            tickets: 2,
            session_id_context: Arc::new([]),
            session_cache_mode: CACHE_SERVER,
            session_timeout: 7200,
            made: Made::default(),
        }
    }
}

/// The settings that a switch of contexts has led to, kept for the next connection.
#[derive(Clone, Debug)]
pub(crate) struct Switched {
    from: Arc<Settings>,
    to: Arc<Settings>,
    settings: Arc<Settings>,
}

impl Settings {
    /// Changes a shared value: in place when no one else has it, in a copy otherwise.
    pub(crate) fn change(shared: &mut Arc<Self>, change: impl FnOnce(&mut Self)) {
        let settings = Arc::make_mut(shared);
        settings.made = Made::default();
        change(settings);
    }

    /// Changes the names of CAs to send. The provider stays: its cryptography does not depend on
    /// them. The configurations have the names in them.
    pub(crate) fn change_names(shared: &mut Arc<Self>, names: Arc<[Vec<u8>]>) {
        let settings = Arc::make_mut(shared);
        settings.made = Made { provider: settings.made.provider.clone(), ..Made::default() };
        settings.client_ca = names;
    }

    /// Whether a version may be spoken. SSLv3, TLS 1.0 and 1.1 never are.
    pub(crate) fn speaks(&self, version: c_int) -> bool {
        let off = match version {
            TLS1_2 => OP_NO_TLS1_2,
            TLS1_3 => OP_NO_TLS1_3,
            _ => return false,
        };
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.versions.contains(&version)) {
            return false;
        }
        if self.fixed_version != 0 {
            return version == self.fixed_version;
        }
        self.options & off == 0
            && self.min_version <= version
            && (self.max_version == 0 || version <= self.max_version)
    }

    /// The highest version that may be spoken, if any.
    pub(crate) fn highest_version(&self) -> Option<c_int> {
        [TLS1_3, TLS1_2].into_iter().find(|version| self.speaks(*version))
    }

    /// Sets a bound of the versions. A method of one version takes any, and stays with its own.
    pub(crate) fn set_bound(&mut self, bound: fn(&mut Self) -> &mut c_int, version: c_int) {
        if version == 0 || self.fixed_version == 0 {
            *bound(self) = version;
        }
    }

    /// The settings of a connection that goes from one context to another. Connections that have set
    /// nothing of their own share them, and what was made for them, through `last`.
    pub(crate) fn switched(
        own: &Arc<Self>,
        from: &Arc<Self>,
        to: &Arc<Self>,
        last: &mut Option<Switched>,
    ) -> Arc<Self> {
        let shares = Arc::ptr_eq(own, from);
        let known = last
            .as_ref()
            .filter(|known| shares && Arc::ptr_eq(&known.from, from) && Arc::ptr_eq(&known.to, to));
        if let Some(known) = known {
            return Arc::clone(&known.settings);
        }
        let mut settings = Arc::clone(own);
        Self::change(&mut settings, |own| own.switch(from, to));
        if shares {
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            *last = Some(Switched { from, to, settings: Arc::clone(&settings) });
        }
        settings
    }

    /// Switches from the settings of one context to those of another, as `SSL_set_SSL_CTX` does: the
    /// credentials and what goes with them, the session id context unless the connection has its own,
    /// and the suites unless the connection has its own.
    fn switch(&mut self, from: &Self, to: &Self) {
        self.credentials = Arc::clone(&to.credentials);
        self.security_level = to.security_level;
        self.schemes = to.schemes.clone();
        self.client_schemes = to.client_schemes.clone();
        if self.session_id_context == from.session_id_context {
            self.session_id_context = Arc::clone(&to.session_id_context);
        }
        // OpenSSL reads the suites from the current context as long as the connection has none.
        let shares_suites = Arc::ptr_eq(&self.cipher_list, &from.cipher_list)
            && Arc::ptr_eq(&self.ciphersuites, &from.ciphersuites);
        if shares_suites {
            self.cipher_list = Arc::clone(&to.cipher_list);
            self.ciphersuites = Arc::clone(&to.ciphersuites);
        }
    }

    /// Takes over what a copy of a connection does (`SSL_dup(3)`).
    pub(crate) fn copy_choices(&mut self, of: &Self) {
        *self = Self {
            groups: Arc::clone(&self.groups),
            alpn: Arc::clone(&self.alpn),
            status_type: self.status_type,
            tickets: self.tickets,
            preferences: Preferences {
                max_cert_list: of.preferences.max_cert_list,
                ..self.preferences.clone()
            },
            ..of.clone()
        };
    }

    /// Goes back to the default suites.
    pub(crate) fn reset_suites(&mut self) {
        let default = Self::default();
        (self.cipher_list, self.ciphersuites) = (default.cipher_list, default.ciphersuites);
    }

    /// Whether TLS 1.3 is spoken: the version is on, and a suite of it.
    pub(crate) fn speaks_tls13(&self) -> bool {
        self.speaks(TLS1_3) && !self.provider().tls13_cipher_suites.is_empty()
    }

    /// Whether an option is on.
    pub(crate) fn has_option(&self, option: u64) -> bool {
        self.options & option != 0
    }

    /// The protocols of ALPN, one by one.
    pub(crate) fn protocols(&self) -> Vec<Vec<u8>> {
        split_protocols(&self.alpn).unwrap_or_default()
    }

    /// rustls's cryptography, narrowed to what these settings allow.
    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(self.made.provider.get_or_init(|| Arc::new(self.make_provider())))
    }

    /// What all clients with these settings have in common.
    pub(crate) fn client_config(&self) -> Result<&Arc<ClientConfig>, Error> {
        let made = self.made.client.get_or_init(|| configs::client(self).map(Arc::new));
        made.as_ref().map_err(Error::clone)
    }

    /// What all servers with these settings have in common.
    pub(crate) fn server_config(&self) -> Result<&Arc<ServerConfig>, Error> {
        let made = self.made.server.get_or_init(|| configs::server(self).map(Arc::new));
        made.as_ref().map_err(Error::clone)
    }

    /// The suites that can be used: speaking a version, and allowed at the security level.
    pub(crate) fn usable(&self, cipher: &Cipher) -> bool {
        let version = if cipher.tls13 { TLS1_3 } else { TLS1_2 };
        let secure = match &self.allowed {
            Some(allowed) => allowed.suites.contains(&cipher.id),
            None => cipher.allowed_at(self.security_level),
        };
        self.speaks(version) && secure
    }

    /// Whether a group is secure enough.
    pub(crate) fn allows_group(&self, group: NamedGroup) -> bool {
        match &self.allowed {
            Some(allowed) => allowed.groups.contains(&group),
            None => groups::allowed_at(group, self.security_level),
        }
    }

    fn allows_scheme(&self, scheme: SignatureScheme) -> bool {
        match &self.allowed {
            Some(allowed) => allowed.schemes.contains(&scheme),
            None => signatures::allowed_at(scheme, self.security_level),
        }
    }

    /// The schemes of signatures that this side accepts, in order of preference: those that a
    /// client sends in its hello, and a server in its request for a certificate.
    pub(crate) fn accepted_schemes(&self, server: bool) -> Vec<SignatureScheme> {
        self.schemes(server).filter(|scheme| signatures::is_verified(*scheme)).collect()
    }

    /// The schemes that this side signs with, in order of preference.
    pub(crate) fn signing_schemes(&self, server: bool) -> Vec<SignatureScheme> {
        self.schemes(!server).collect()
    }

    fn schemes(&self, of_client: bool) -> impl Iterator<Item = SignatureScheme> {
        self.chosen_schemes(of_client).iter().copied().filter(|id| self.allows_scheme(*id))
    }

    /// The schemes of the program, or the default ones, however secure they are.
    pub(crate) fn chosen_schemes(&self, of_client: bool) -> &[SignatureScheme] {
        let own = self.client_schemes.as_ref().filter(|_| of_client).or(self.schemes.as_ref());
        own.map_or(&signatures::DEFAULT_SCHEMES, |own| own)
    }

    fn make_provider(&self) -> CryptoProvider {
        let mut provider = CryptoProvider::clone(&PROVIDER);
        let usable = |id: &u16| ciphers::by_id(*id).filter(|cipher| self.usable(cipher));
        let tls12 = self.cipher_list.iter().filter_map(usable);
        provider.tls12_cipher_suites =
            tls12.filter_map(|cipher| ciphers::tls12_suite(cipher.id)).collect();
        let tls13 = self.ciphersuites.iter().filter_map(usable);
        provider.tls13_cipher_suites =
            tls13.filter_map(|cipher| ciphers::tls13_suite(cipher.id)).collect();
        let groups = self.groups.iter().copied();
        let groups = groups.filter(|group| self.allows_group(*group));
        provider.kx_groups = groups.filter_map(groups::key_exchange).collect();
        provider
    }
}

/// Splits a list of protocols in wire format. None when a length does not fit or is 0.
pub(crate) fn split_protocols(mut wire: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut protocols = Vec::new();
    while let Some((length, rest)) = wire.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(*length))?;
        if protocol.is_empty() {
            return None;
        }
        protocols.push(protocol.to_vec());
        wire = rest;
    }
    Some(protocols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_changes_alone() {
        let context = Arc::new(Settings::default());
        let mut connection = Arc::clone(&context);
        Settings::change(&mut connection, |settings| settings.status_type = status::OCSP);
        assert_eq!(context.status_type, status::NOTHING);
        assert_eq!(connection.status_type, status::OCSP);
    }

    #[test]
    fn versions_narrow_the_suites() {
        let mut settings = Arc::new(Settings::default());
        assert_eq!(settings.provider().tls12_cipher_suites.len(), 6);
        Settings::change(&mut settings, |settings| settings.min_version = TLS1_3);
        assert!(settings.provider().tls12_cipher_suites.is_empty());
        assert!(!settings.speaks(TLS1_2));
        Settings::change(&mut settings, |settings| {
            settings.min_version = 0;
            settings.max_version = TLS1_2;
        });
        assert!(settings.provider().tls13_cipher_suites.is_empty());
    }

    #[test]
    fn a_method_of_one_version_has_no_bounds() {
        let mut settings = Settings { fixed_version: TLS1_2, ..Settings::default() };
        settings.options |= OP_NO_TLS1_2;
        settings.set_bound(|settings| &mut settings.min_version, TLS1_3);
        assert_eq!(settings.min_version, 0);
        assert_eq!(settings.highest_version(), Some(TLS1_2));
        settings.fixed_version = 0x0301;
        assert_eq!(settings.highest_version(), None);
    }

    #[test]
    fn the_security_level_narrows_suites_groups_and_schemes() {
        let mut settings = Arc::new(Settings::default());
        assert_eq!(settings.accepted_schemes(false).len(), 14);
        Settings::change(&mut settings, |settings| settings.security_level = 4);
        let provider = settings.provider();
        assert_eq!(provider.tls12_cipher_suites.len(), 4);
        assert_eq!(provider.tls13_cipher_suites.len(), 2);
        assert_eq!(provider.kx_groups.len(), 2);
        assert_eq!(settings.accepted_schemes(false).len(), 9);
    }

    #[test]
    fn schemes_for_the_client_certificate_are_apart() {
        let mut settings = Arc::new(Settings::default());
        let (rsa, ecdsa) =
            (SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256);
        Settings::change(&mut settings, |settings| settings.schemes = Some(Arc::new([rsa])));
        assert_eq!(settings.accepted_schemes(true), [rsa]);
        assert_eq!(settings.signing_schemes(false), [rsa]);
        Settings::change(&mut settings, |s| s.client_schemes = Some(Arc::new([ecdsa])));
        assert_eq!(settings.accepted_schemes(true), [ecdsa]);
        assert_eq!(settings.signing_schemes(false), [ecdsa]);
        assert_eq!(settings.accepted_schemes(false), [rsa]);
        assert_eq!(settings.signing_schemes(true), [rsa]);
    }

    #[test]
    fn protocols_in_wire_format() {
        assert_eq!(split_protocols(b"\x02h2\x01x"), Some(vec![b"h2".to_vec(), b"x".to_vec()]));
        assert_eq!(split_protocols(b""), Some(vec![]));
        assert_eq!(split_protocols(b"\x03h2"), None);
        assert_eq!(split_protocols(b"\x00"), None);
    }
}
