//! A web server of a few lines, for what the lab's responder does not do: refuse a GET, serve a
//! false issuer, speak TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certstatus_lab::Leaf;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// A server on a free port, which runs until the test's process ends.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with the bytes that `answer` gives.
    pub(crate) fn start(answer: impl Fn(Request) -> Vec<u8> + Send + 'static) -> Self {
        Self::serve("http", answer, Some)
    }

    /// The same over TLS, with that leaf's certificate.
    pub(crate) fn start_tls(
        leaf: &Leaf,
        answer: impl Fn(Request) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(leaf.chain().to_vec(), leaf.key())
            .unwrap();
        let config = Arc::new(config);
        Self::serve("https", answer, move |stream| {
            Some(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).ok()?, stream))
        })
    }

    fn serve<S: Read + Write>(
        scheme: &'static str,
        answer: impl Fn(Request) -> Vec<u8> + Send + 'static,
        wrap: impl Fn(TcpStream) -> Option<S> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let paths = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&paths);
        std::thread::spawn(move || {
            for stream in listener.incoming().take(100) {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                // A client that gives up during the handshake is no fault of the test.
                if let Some(mut stream) = wrap(stream)
                    && let Some(request) = read(&mut stream)
                {
                    seen.lock().unwrap().push(request.path.clone());
                    let _ = stream.write_all(&answer(request)).and_then(|()| stream.flush());
                }
            }
        });
        Self { address, scheme, paths }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        let (scheme, port) = (self.scheme, self.address.port());
        format!("{scheme}://localhost:{port}{path}")
    }

    /// The paths that were asked for, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap().clone()
    }
}

/// A response with a body, after which the connection is closed.
pub(crate) fn ok(media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, body })
}
