//! How patient a client is, and how much it takes.

use std::time::Duration;

/// How patient a client is with its server, and how much it takes from it.
///
/// ```
/// use scoreboard_client::ClientConfig;
/// let config = ClientConfig { max_message: 64 * 1024, ..ClientConfig::default() };
/// assert_eq!(config.answer.as_secs(), 10);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// How long a connection, an answer or one message out may take; then the connection is given up. Default: 10 s.
    pub answer: Duration,
    /// The longest first wait before trying again; it doubles with each loss. Default: 500 ms.
    pub first_wait: Duration,
    /// The longest wait of all. Default: 20 s.
    pub longest_wait: Duration,
    /// Over how long clients come back to a server that restarts, at least. Default: 5 s.
    pub restart_spread: Duration,
    /// How long a connection, or a board, must hold until the next failure waits from the shortest span again. Default: 10 s.
    pub settled: Duration,
    /// The longest message, and the longest frame, that is read, in bytes. Default: 256 KiB; a hundred entries take about 20.
    pub max_message: usize,
    /// How much may wait to be written, in bytes. Default: 64 KiB.
    pub max_write_buffer: usize,
    /// How many private messages are kept for who is slow to take them; older ones are dropped, and counted. At least 1. Default: 64.
    pub private_messages: usize,
    /// Certificates (PEM) to trust in the place of the machine's own, for `https` and `wss`. Default: none.
    pub tls_roots: Option<Vec<u8>>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            restart_spread: Duration::from_secs(5),
            settled: Duration::from_secs(10),
            max_message: 256 * 1024,
            max_write_buffer: 64 * 1024,
            private_messages: 64,
            tls_roots: None,
        }
    }
}
