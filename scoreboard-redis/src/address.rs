//! Where Redis is: one server, a master that sentinels know, or a cluster.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use scoreboard_core::InvalidValue;

/// The port of a sentinel, where a URL names none.
const SENTINEL_PORT: u16 = 26_379;
/// The port of a server, where a URL names none.
const SERVER_PORT: u16 = 6379;

/// Where Redis is, and who asks it. The password is never shown.
#[derive(Clone)]
pub struct Server(pub(crate) Layout);

/// The three ways in which Redis is set up.
#[derive(Clone)]
pub(crate) enum Layout {
    Single(ConnectionInfo),
    Sentinel { sentinels: Vec<ConnectionInfo>, master: String, tls: bool },
    Cluster(Vec<ConnectionInfo>),
}

const WHAT: &str = "Redis URL";
const SHAPES: InvalidValue = InvalidValue::new(
    WHAT,
    "must be like redis://user:password@host:6379/0, rediss://… for TLS, redis+cluster://host,host or redis+sentinel://host,host/master",
);

impl Server {
    /// Reads a URL; see [`Config::from_url`](crate::Config::from_url).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another form. It holds nothing of the URL.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        let (scheme, rest) = url.split_once("://").ok_or(SHAPES)?;
        let layout = match scheme {
            "redis" | "rediss" | "redis+unix" | "unix" => Layout::Single(one(url)?),
            "redis+cluster" | "rediss+cluster" => {
                let (user, hosts, path) = parts(rest);
                // A cluster has one database, numbered 0.
                if !matches!(path, "" | "0") {
                    return Err(InvalidValue::new(WHAT, "must name no database where it names a cluster"));
                }
                Layout::Cluster(each(scheme, user, hosts, SERVER_PORT, "0")?)
            }
            "redis+sentinel" | "rediss+sentinel" => {
                let (user, hosts, path) = parts(rest);
                let (master, database) = path.split_once('/').unwrap_or((path, "0"));
                if master.is_empty() {
                    return Err(InvalidValue::new(WHAT, "must name the master behind the sentinels' hosts"));
                }
                let sentinels = each(scheme, user, hosts, SENTINEL_PORT, database)?;
                Layout::Sentinel { sentinels, master: master.to_owned(), tls: scheme.starts_with("rediss") }
            }
            _ => return Err(SHAPES),
        };
        Ok(Self(layout))
    }

    /// Every address that the URL names.
    fn addresses(&self) -> impl Iterator<Item = &ConnectionInfo> {
        match &self.0 {
            Layout::Single(one) => std::slice::from_ref(one).iter(),
            Layout::Sentinel { sentinels: many, .. } | Layout::Cluster(many) => many.iter(),
        }
    }
}

/// The driver reads one host with its user, its password and their escapes. Its error might show them.
fn one(url: &str) -> Result<ConnectionInfo, InvalidValue> {
    // `#insecure` would switch the check of certificates off.
    if url.contains('#') {
        return Err(InvalidValue::new(WHAT, "must have no fragment"));
    }
    let info = url.into_connection_info().map_err(|_| SHAPES)?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    Ok(info.set_tcp_settings(tcp))
}

/// `user:password@host,host/path`, without what may follow a `?`.
fn parts(rest: &str) -> (&str, &str, &str) {
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    (user, hosts, path.trim_end_matches('/'))
}

fn each(scheme: &str, user: &str, hosts: &str, port: u16, database: &str) -> Result<Vec<ConnectionInfo>, InvalidValue> {
    let plain = scheme.split_once('+').map_or(scheme, |(plain, _)| plain);
    let at = if user.is_empty() { "" } else { "@" };
    let one_of = |host: &str| {
        // An address of version 6 stands in brackets, and has colons of its own.
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        one(&format!("{plain}://{user}{at}{host}/{database}"))
    };
    hosts.split(',').map(one_of).collect()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, master) = match &self.0 {
            Layout::Single(_) => ("Single", None),
            Layout::Sentinel { master, .. } => ("Sentinel", Some(master)),
            Layout::Cluster(_) => ("Cluster", None),
        };
        let hosts: Vec<String> = self.addresses().map(|info| info.addr().to_string()).collect();
        let first = self.addresses().next();
        f.debug_struct(name)
            .field("hosts", &hosts)
            .field("master", &master)
            .field("tls", &first.is_some_and(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. })))
            .field("user", &first.and_then(|info| info.redis_settings().username()))
            .field("database", &first.map(|info| info.redis_settings().db()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<String> {
        Server::from_url(url).unwrap().addresses().map(|info| info.addr().to_string()).collect()
    }

    #[test]
    fn each_layout_has_its_scheme() {
        assert_eq!(hosts("redis://cache.example"), ["cache.example:6379"]);
        assert_eq!(hosts("rediss://u:p@cache.example:7000/3"), ["cache.example:7000"]);
        assert_eq!(hosts("redis+cluster://a:7000,b,[::1]:7002,[::1]"), ["a:7000", "b:6379", "::1:7002", "::1:6379"]);
        assert_eq!(hosts("redis+sentinel://u:p@a,b:27000/main/2"), ["a:26379", "b:27000"]);
        assert_eq!(hosts("redis+unix:///run/redis.sock"), ["/run/redis.sock"]);
        let Layout::Sentinel { master, sentinels, tls } = Server::from_url("rediss+sentinel://a/main/2").unwrap().0
        else {
            panic!("sentinels")
        };
        assert_eq!((master.as_str(), tls, sentinels[0].redis_settings().db()), ("main", true, 2));
    }

    #[test]
    fn a_password_is_read_and_never_shown() {
        for url in [
            "redis://me:sec%40ret@db.example:7001/4",
            "redis+cluster://me:sec%40ret@db.example:7001",
            "redis+sentinel://me:sec%40ret@db.example:7001/main",
            "rediss://me:sec%40ret@db.example:7001",
        ] {
            let server = Server::from_url(url).unwrap();
            let settings = server.addresses().next().unwrap().redis_settings().clone();
            assert_eq!((settings.username(), settings.password()), (Some("me"), Some("sec@ret")), "{url}");
            let shown = format!("{server:?}");
            assert!(shown.contains("db.example:7001") && shown.contains("me"), "{shown}");
            assert!(!shown.contains("ret"), "{shown}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused_without_a_word_of_it() {
        for url in [
            "",
            "secret",
            "postgres://u:secret@host/db",
            "redis://",
            "redis://:secret@host:port",
            "redis://:secret@host/database",
            "rediss://:secret@host#insecure",
            "redis+cluster://:secret@",
            "redis+cluster://:secret@a,b/1",
            "redis+cluster://:secret@a,,b",
            "redis+sentinel://:secret@a,b",
            "redis+sentinel://:secret@a,b/main/x",
        ] {
            let error = Server::from_url(url).expect_err(url).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
