//! HTTP/2 frames, written and read one by one (RFC 9113, section 4), for what no client library would send.

use super::*;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: u32 = 8;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// The bytes of a frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The first bytes of a client: the preface, and settings as (identifier, value).
pub(super) fn preface(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &payload)[..]].concat()
}

/// A block of headers without compression (RFC 7541, section 6.2.2).
pub(super) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        // Lengths over 126 take further bytes (RFC 7541, section 5.1).
        let mut bytes = Vec::new();
        match text.len().checked_sub(127) {
            None => bytes.push(u8::try_from(text.len()).unwrap()),
            Some(mut rest) => {
                bytes.push(127);
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).unwrap());
            }
        }
        [&bytes, text.as_bytes()].concat()
    };
    headers.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The headers of a GET.
pub(super) fn get_block(path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", path)])
}

/// A complete GET.
pub(super) fn get_frame(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get_block(path))
}

/// A frame that the server has sent.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Received {
    /// The code of an RST_STREAM or a GOAWAY.
    pub(super) fn code(&self) -> u32 {
        let from = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[from..from + 4].try_into().unwrap())
    }
}

/// The next frame. None once the connection has ended.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = [0; 9];
    tokio::time::timeout(HANGS, stream.read_exact(&mut head)).await.unwrap().ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    tokio::time::timeout(HANGS, stream.read_exact(&mut payload)).await.unwrap().ok()?;
    let id = u32::from_be_bytes(head[5..].try_into().unwrap());
    Some(Received { kind: head[3], flags: head[4], stream: id, payload })
}

/// Reads until a frame of this kind for this stream. None when the connection ends before.
pub(super) async fn next_of(stream: &mut (impl AsyncRead + Unpin), kind: u8, id: u32) -> Option<Received> {
    loop {
        let frame = next(stream).await?;
        if (frame.kind, frame.stream) == (kind, id) && !(kind == PING && frame.flags != ACK) {
            return Some(frame);
        }
    }
}
