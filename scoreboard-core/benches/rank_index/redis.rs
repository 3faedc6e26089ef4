//! A Redis of its own on a Unix socket in a temporary folder, spoken to in RESP by hand: what is measured is the server, not a client.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends with its process and its folder.
pub(crate) struct Redis {
    server: Child,
    folder: PathBuf,
    reader: BufReader<UnixStream>,
}

impl Redis {
    /// Starts one that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("scoreboard-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let socket = folder.join("redis.sock");
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (Debian: redis-server)");
        let stream = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(25));
            UnixStream::connect(&socket).ok()
        });
        Self { server, folder, reader: BufReader::new(stream.expect("Redis answers within 5 seconds")) }
    }

    /// Sends commands by 256, and reads every answer.
    pub(crate) fn pipeline(&mut self, count: usize, mut command: impl FnMut(usize, &mut Vec<Vec<u8>>)) {
        let (mut sent, mut words, mut bytes) = (0, Vec::new(), Vec::new());
        while sent < count {
            let end = (sent + 256).min(count);
            bytes.clear();
            for i in sent..end {
                words.clear();
                command(i, &mut words);
                write!(bytes, "*{}\r\n", words.len()).expect("into memory");
                for word in &words {
                    write!(bytes, "${}\r\n", word.len()).expect("into memory");
                    bytes.extend_from_slice(word);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            self.reader.get_mut().write_all(&bytes).expect("Redis reads");
            for _ in sent..end {
                self.answer();
            }
            sent = end;
        }
    }

    /// One answer: a text where there is one.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("Redis answers");
        let (kind, rest) = (line.as_bytes()[0], line[1..].trim_end());
        match kind {
            b'*' => (0..rest.parse::<i64>().expect("a number")).for_each(|_| drop(self.answer())),
            b'$' if rest != "-1" => {
                let mut bulk = vec![0; rest.parse::<usize>().expect("a length") + 2];
                self.reader.read_exact(&mut bulk).expect("Redis answers");
                bulk.truncate(bulk.len() - 2);
                return String::from_utf8_lossy(&bulk).into_owned();
            }
            b'-' => panic!("Redis refuses: {rest}"),
            _ => {}
        }
        rest.to_owned()
    }

    fn ask(&mut self, words: &[&str]) -> String {
        let mut text = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| write!(text, "${}\r\n{word}\r\n", word.len()).expect("into memory"));
        self.reader.get_mut().write_all(text.as_bytes()).expect("Redis reads");
        self.answer()
    }

    /// Forgets how long commands took.
    pub(crate) fn reset(&mut self) {
        self.ask(&["CONFIG", "RESETSTAT"]);
    }

    /// How long a command took within the server, in nanoseconds each.
    pub(crate) fn server_ns(&mut self, command: &str) -> f64 {
        let stats = self.ask(&["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        let field = line.and_then(|line| line.split("usec_per_call=").nth(1)).and_then(|rest| rest.split(',').next());
        field.and_then(|field| field.parse::<f64>().ok()).expect("the command was given") * 1000.0
    }

    /// What its data takes.
    pub(crate) fn used_memory(&mut self) -> f64 {
        let memory = self.ask(&["INFO", "memory"]);
        let field = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
        field.and_then(|field| field.trim().parse().ok()).expect("a number")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
