//! A stock proxy before several servers, as a process of its own with the configuration that this repository gives.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::client::Client;
use super::server::free_address;
use super::started::started;
use super::wait::until;

const PATIENCE: Duration = Duration::from_secs(20);

/// The addresses that stand in the configurations.
const SERVERS: [&str; 3] = ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"];

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    Nginx,
    Haproxy,
}

impl fmt::Display for Stock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        })
    }
}

/// A running proxy. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts one before these three, with nothing but addresses and the places of files changed.
    pub(crate) async fn start(stock: Stock, servers: [SocketAddr; 3]) -> Self {
        let folder = tempfile::Builder::new().prefix("proxy-").tempdir().expect("a folder");
        let address = free_address();
        let file = match stock {
            Stock::Nginx => "nginx.conf",
            Stock::Haproxy => "haproxy.cfg",
        };
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let mut text = std::fs::read_to_string(&given).unwrap_or_else(|error| panic!("{}: {error}", given.display()));
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "{file} has no `{from}`");
            text = text.replace(from, to);
        };
        for (from, to) in SERVERS.into_iter().zip(servers) {
            replace(from, &to.to_string());
        }
        let place = folder.path().display();
        match stock {
            Stock::Nginx => {
                replace("listen 8080;", &format!("listen {address};"));
                replace("/run/nginx.pid", &format!("{place}/nginx.pid"));
                replace("/var/log/nginx/error.log", &format!("{place}/log"));
                // Where bodies wait that are too large for its buffers: none is.
                replace(
                    "http {\n",
                    &format!(
                        "http {{\n    client_body_temp_path {place}/body;\n    proxy_temp_path {place}/proxied;\n"
                    ),
                );
            }
            Stock::Haproxy => replace("bind :8080", &format!("bind {address}")),
        }
        let own = folder.path().join(file);
        std::fs::write(&own, text).expect("the folder takes a file");
        let mut command = match stock {
            Stock::Nginx => {
                let mut command = Command::new("nginx");
                // In the foreground, so that it ends with its process.
                command
                    .arg("-e")
                    .arg(folder.path().join("log"))
                    .arg("-g")
                    .arg("daemon off; master_process off;")
                    .arg("-c");
                command
            }
            Stock::Haproxy => {
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f");
                command
            }
        };
        let log = std::fs::File::create(folder.path().join("out")).expect("the folder takes a file");
        let child = command
            .arg(&own)
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{stock} does not start (scripts/setup installs it): {error}"));
        started(&stock.to_string(), child.id(), address, folder.path());
        let proxy = Self { address, child, folder };
        let mut client = Client::new(address);
        until(format!("{stock} answers for the servers"), PATIENCE, async || {
            client.get("/health/live").await.ok().filter(|answer| answer.status == 200)
        })
        .await;
        proxy
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for name in ["out", "log"] {
                let said = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
                eprintln!("the proxy's {name}:\n{said}");
            }
        }
    }
}
