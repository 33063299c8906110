//! HTTP/1.1 on one connection: as much of it as the Runtime API and AWS JSON need.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::Failure;

/// An open connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Connection {
    /// A connection without TLS to `host:port`.
    pub(crate) fn plain(host: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// A connection with TLS to `host:port`.
    pub(crate) fn tls(host: &str, config: Arc<ClientConfig>) -> Result<Self, Failure> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let client = ClientConnection::new(config, ServerName::try_from(name.to_owned())?)?;
        Ok(Self::over(StreamOwned::new(client, stream)))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(&mut self, request: &str) -> Result<Answer, Failure> {
        self.stream.write_all(request.as_bytes())?;
        self.stream.flush()?;
        let end = loop {
            match self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                Some(end) => break end + 4,
                None => self.read()?,
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect())?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut answer = Answer {
            status: status.ok_or_else(|| io::Error::other("no status"))?,
            head,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse().ok());
        let length: usize = length.ok_or_else(|| io::Error::other("no content-length"))?;
        while self.buffer.len() < length {
            self.read()?;
        }
        answer.body = self.buffer.drain(..length).collect();
        Ok(answer)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut part = [0; 8192];
        let count = self.stream.read(&mut part)?;
        let read = part.get(..count).filter(|read| !read.is_empty());
        let read = read.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        self.buffer.extend_from_slice(read);
        Ok(())
    }
}
