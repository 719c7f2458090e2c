//! A connection after its handshake: application data in both directions, and its end.

use rustls::client::ClientSide;
use rustls::crypto::cipher::OutboundPlain;
use rustls::server::ServerSide;
use rustls::split::{ReceiveTraffic, ReceiveTrafficState, SendTraffic};
use rustls::{ConnectionOutputs, KeyingMaterialExporter, SideData};
use zeroize::{Zeroize, Zeroizing};

use super::buffer::Input;
use super::failure::Failure;

/// The longest keying material that is exported. TLS 1.3 has at most 255 blocks of the hash, 16,320
/// bytes; programs need no more of TLS 1.2, and a mistaken length must not exhaust the memory.
const LONGEST_EXPORT: usize = 1 << 20;

/// The keys of a connection, and what was decrypted and not yet read.
pub(crate) struct Traffic {
    send: Option<SendTraffic>,
    receive: Receive,
    pub(crate) outputs: ConnectionOutputs,
    exporter: Option<KeyingMaterialExporter>,
    plaintext: Zeroizing<Vec<u8>>,
    read: usize,
}

enum Receive {
    Client(ReceiveTraffic<ClientSide>),
    Server(ReceiveTraffic<ServerSide>),
    /// The peer's close_notify has arrived.
    Closed,
    Failed(Failure),
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// There is data to read.
    Data,
    /// More bytes from the peer are needed.
    WantRead,
    /// The peer has closed its direction.
    Closed,
}

impl Traffic {
    pub(crate) fn client(split: rustls::split::SplitConnection<ClientSide>) -> Self {
        Self::new(split.send, Receive::Client(split.receive), split.outputs)
    }

    pub(crate) fn server(split: rustls::split::SplitConnection<ServerSide>) -> Self {
        Self::new(split.send, Receive::Server(split.receive), split.outputs)
    }

    fn new(send: SendTraffic, receive: Receive, mut outputs: ConnectionOutputs) -> Self {
        let exporter = outputs.exporter().ok();
        Self {
            send: Some(send),
            receive,
            outputs,
            exporter,
            plaintext: Zeroizing::default(),
            read: 0,
        }
    }

    /// Keying material for another protocol (RFC 5705; RFC 8446, 7.5). None when there is none of
    /// that length. TLS 1.2 has no limit, so [`LONGEST_EXPORT`] is the limit of both versions.
    pub(crate) fn export(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        length: usize,
    ) -> Option<Vec<u8>> {
        let exporter = self.exporter.as_ref()?;
        if length > LONGEST_EXPORT {
            return None;
        }
        exporter.derive(label, context, vec![0; length]).ok()
    }

    /// Data decrypted and not yet read.
    pub(crate) fn pending(&self) -> &[u8] {
        self.plaintext.get(self.read..).unwrap_or_default()
    }

    /// Marks data as read.
    pub(crate) fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.plaintext.len());
        if self.read == self.plaintext.len() {
            self.plaintext.clear();
            self.read = 0;
        }
    }

    /// Zeroes data that was read and is still in memory, and gives that back if it is to.
    pub(crate) fn clean_up(&mut self, release: bool) {
        if self.plaintext.is_empty() {
            match release {
                true => self.plaintext = Zeroizing::default(),
                false => self.plaintext.zeroize(),
            }
        }
    }

    /// Whether [`receive`](Self::receive) has nothing to do before more of `input` comes.
    pub(crate) fn awaits_more(&self, input: &Input) -> bool {
        self.pending().is_empty()
            && matches!(self.receive, Receive::Client(_) | Receive::Server(_))
            && input.awaits_more()
    }

    /// Decrypts a record of `input`. Its data goes to `reader`, which says how much of it it takes;
    /// the rest is [`pending`](Self::pending). What has to be answered goes to `output`.
    ///
    /// A record without data is no data: the next one is decrypted. rustls refuses more than 32 of
    /// them in a row, as OpenSSL does.
    pub(crate) fn receive(
        &mut self,
        input: &mut Input,
        output: &mut Vec<u8>,
        reader: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<Received, Failure> {
        if !self.pending().is_empty() {
            let taken = reader(self.pending());
            self.consume(taken);
            return Ok(Received::Data);
        }
        loop {
            let record = self.receive_record(input, reader);
            if record.to_send || matches!(self.receive, Receive::Failed(_)) {
                self.flush(output)?;
            }
            return match &self.receive {
                _ if record.data => Ok(Received::Data),
                Receive::Closed => Ok(Received::Closed),
                Receive::Failed(failure) => Err(failure.clone()),
                Receive::Client(_) | Receive::Server(_) if record.empty => continue,
                Receive::Client(_) | Receive::Server(_) => Ok(Received::WantRead),
            };
        }
    }

    /// Decrypts one record.
    fn receive_record(
        &mut self,
        input: &mut Input,
        reader: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Record {
        let mut record = Record::default();
        let plaintext = &mut self.plaintext;
        let mut deliver = |bytes: &[u8]| {
            plaintext.extend_from_slice(bytes.get(reader(bytes)..).unwrap_or_default());
        };
        self.receive = match std::mem::replace(&mut self.receive, Receive::Closed) {
            Receive::Client(traffic) => match decrypt(traffic, input, &mut record, &mut deliver) {
                Ok(Some(traffic)) => Receive::Client(traffic),
                Ok(None) => Receive::Closed,
                Err(failure) => Receive::Failed(failure),
            },
            Receive::Server(traffic) => match decrypt(traffic, input, &mut record, &mut deliver) {
                Ok(Some(traffic)) => Receive::Server(traffic),
                Ok(None) => Receive::Closed,
                Err(failure) => Receive::Failed(failure),
            },
            over => over,
        };
        record
    }

    /// Encrypts `data` into `output`.
    pub(crate) fn send(&mut self, data: &[u8], output: &mut Vec<u8>) -> Result<(), Failure> {
        match &mut self.send {
            Some(send) => send.write(data.into(), output).map_err(Failure::from),
            None => Err(Failure::local(
                crate::sys::reasons::PROTOCOL_IS_SHUTDOWN,
                "this side has closed its direction",
            )),
        }
    }

    /// Writes what receiving has left to be sent: alerts, a KeyUpdate.
    fn flush(&mut self, output: &mut Vec<u8>) -> Result<(), Failure> {
        match (&mut self.send, &self.receive) {
            // After a failure the send side is closed and says so; its alert is written all the same.
            (Some(send), Receive::Failed(_)) => {
                let _ = send.write(OutboundPlain::new_empty(), output);
                Ok(())
            }
            (Some(send), _) => {
                send.write(OutboundPlain::new_empty(), output).map_err(Failure::from)
            }
            (None, _) => Ok(()),
        }
    }

    /// Renews the keys of this direction, and asks the peer to renew its own (RFC 8446, 4.6.3).
    pub(crate) fn update_keys(&mut self, output: &mut Vec<u8>) -> Result<(), Failure> {
        match &mut self.send {
            Some(send) => send.refresh_traffic_keys(output).map_err(Failure::from),
            None => Ok(()),
        }
    }

    /// Closes this direction with a close_notify. Does nothing the second time.
    pub(crate) fn close(&mut self, output: &mut Vec<u8>) -> Result<(), Failure> {
        match self.send.take() {
            Some(send) => send.close(output).map_err(Failure::from),
            None => Ok(()),
        }
    }
}

/// What was in a record.
#[derive(Default)]
struct Record {
    data: bool,
    /// It is of application data, and there is none.
    empty: bool,
    /// There is something to be sent now: an alert, a KeyUpdate.
    to_send: bool,
}

/// Decrypts one record, as `SSL_read` gives it. None when the peer's close_notify came.
fn decrypt<Side: SideData>(
    traffic: ReceiveTraffic<Side>,
    input: &mut Input,
    record: &mut Record,
    deliver: &mut dyn FnMut(&[u8]),
) -> Result<Option<ReceiveTraffic<Side>>, Failure> {
    let next = match traffic.read(input)? {
        ReceiveTrafficState::Available(mut data) => {
            let bytes = data.data();
            record.empty = bytes.is_empty();
            record.data = !record.empty;
            if record.data {
                deliver(bytes);
            }
            data.into_next()
        }
        ReceiveTrafficState::FlushSender(flush) => {
            record.to_send = true;
            flush.into_next()
        }
        ReceiveTrafficState::ReadMore(next) => return Ok(Some(next)),
        ReceiveTrafficState::CloseNotify => return Ok(None),
    };
    Ok(match next {
        ReceiveTrafficState::ReadMore(next) => Some(next),
        ReceiveTrafficState::FlushSender(flush) => {
            record.to_send = true;
            match flush.into_next() {
                ReceiveTrafficState::ReadMore(next) => Some(next),
                _ => None,
            }
        }
        _ => None,
    })
}
