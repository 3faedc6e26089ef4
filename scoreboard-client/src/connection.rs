//! How a connection is opened: TCP, TLS where it is asked for, WebSocket, each within its bounds.

use std::fmt;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, error::CapacityError};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::address::Address;
use crate::config::ClientConfig;
use crate::error::ConnectError;
use crate::message::PROTOCOL;
use crate::state::Cause;

/// An open connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What is read at once, in bytes.
const READ: usize = 16 * 1024;

/// Opens connections to one server.
#[derive(Clone)]
pub(crate) struct Connector {
    address: Address,
    websocket: WebSocketConfig,
    #[cfg(feature = "tls")]
    tls: tokio_tungstenite::Connector,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(address: &Address, config: &ClientConfig) -> Result<Self, ConnectError> {
        // Each message is written at once; what cannot be written waits, within its bound.
        let websocket = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_write_buffer_size(config.max_write_buffer.max(1))
            .max_message_size(Some(config.max_message))
            .max_frame_size(Some(config.max_message));
        #[cfg(feature = "tls")]
        let tls = if address.tls { speak_tls(config)? } else { tokio_tungstenite::Connector::Plain };
        #[cfg(not(feature = "tls"))]
        if address.tls {
            return Err(ConnectError::Tls("the feature `tls` of scoreboard-client is missing".to_owned()));
        }
        Ok(Self {
            address: address.clone(),
            websocket,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Opens a connection.
    pub(crate) async fn open(&self, config: &ClientConfig) -> Result<Socket, Cause> {
        let open = async {
            let Address { uri, host, port, .. } = &self.address;
            let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| unreachable(&error))?;
            stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
            let request = ClientRequestBuilder::new(uri.clone()).with_sub_protocol(PROTOCOL);
            self.shake_hands(request, stream).await.map_err(|error| not_opened(&error))
        };
        timeout(config.answer, open).await.unwrap_or(Err(Cause::Silent))
    }

    #[cfg(feature = "tls")]
    async fn shake_hands(&self, request: ClientRequestBuilder, stream: TcpStream) -> Result<Socket, Error> {
        let (config, tls) = (Some(self.websocket), Some(self.tls.clone()));
        let (socket, _) = tokio_tungstenite::client_async_tls_with_config(request, stream, config, tls).await?;
        Ok(socket)
    }

    /// Without TLS there is only one way.
    #[cfg(not(feature = "tls"))]
    async fn shake_hands(&self, request: ClientRequestBuilder, stream: TcpStream) -> Result<Socket, Error> {
        let (stream, config) = (MaybeTlsStream::Plain(stream), Some(self.websocket));
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, config).await?;
        Ok(socket)
    }
}

#[cfg(feature = "tls")]
fn speak_tls(config: &ClientConfig) -> Result<tokio_tungstenite::Connector, ConnectError> {
    let roots = crate::tls::roots(config.tls_roots.as_deref())?;
    Ok(tokio_tungstenite::Connector::Rustls(crate::tls::config(roots)?))
}

fn unreachable(error: &std::io::Error) -> Cause {
    let said = error.to_string();
    // The system's own number of an error tells people nothing.
    let words = said.split_once(" (os error").map_or(said.as_str(), |(words, _)| words);
    Cause::Unreachable(words.to_owned())
}

fn not_opened(error: &Error) -> Cause {
    match error {
        Error::Http(answer) => Cause::Answered(answer.status().as_u16()),
        Error::Io(error) => unreachable(error),
        other => Cause::Stranger(other.to_string()),
    }
}

/// Why an open connection can be read no more.
pub(crate) fn lost(error: &Error) -> Cause {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) | Error::Utf8(_) => Cause::Nonsense,
        _ => Cause::Lost,
    }
}
