//! Flags that are settings.

use std::path::PathBuf;

use clap::Args;
use scoreboard_core::InvalidValue;

use crate::settings::{Flag, LogFormat};

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct CommonFlags {
    /// Settings file (TOML) [env: SCOREBOARD_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept: sqlite://FILE, postgres://USER@HOST/DATABASE or memory: [default: sqlite://scoreboard.db] [env:
    /// SCOREBOARD_DATABASE_URL]. A password is better kept in a variable (PGPASSWORD) or in ~/.pgpass: others can read the command line
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// The key file, the same for all servers of one database [default: beside a database file] [env: SCOREBOARD_KEYS]
    #[arg(long, global = true, value_name = "FILE")]
    keys: Option<String>,
    /// The Redis that several servers of one database share: redis://HOST, rediss://, redis+sentinel:// or redis+cluster:// [env:
    /// SCOREBOARD_REDIS_URL]
    #[arg(long, global = true, value_name = "URL")]
    redis_url: Option<String>,
    /// Use a database server also where its settings let it lose what it acknowledged
    #[arg(long, global = true)]
    unsafe_durability: bool,
    /// How logs look [default: text on a terminal, json otherwise] [env: SCOREBOARD_LOG]
    #[arg(long, global = true, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Any setting, by its name; may be repeated
    #[arg(long = "set", global = true, value_name = "NAME=VALUE", value_parser = parse_flag)]
    set: Vec<Flag>,
}

/// Flags of `serve`, which may stand without it.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeFlags {
    /// Address and port to listen on [default: 127.0.0.1:8080] [env: SCOREBOARD_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Origins whose pages may call from a browser, with commas [env: SCOREBOARD_ALLOWED_ORIGINS]
    #[arg(long, value_name = "ORIGINS")]
    allowed_origins: Option<String>,
    /// Proxies whose X-Forwarded-For is believed, with commas [env: SCOREBOARD_TRUSTED_PROXIES]
    #[arg(long, value_name = "ADDRESSES")]
    trusted_proxies: Option<String>,
    /// Over how long the live connections are closed at a stop [default: 10] [env: SCOREBOARD_DRAIN_SECONDS]
    #[arg(long, value_name = "SECONDS")]
    drain_seconds: Option<String>,
}

impl CommonFlags {
    /// The settings among the flags. `--set` stands behind the named ones: they are one layer.
    pub(crate) fn settings(&self) -> Vec<Flag> {
        let log = self.log.map(|log| match log {
            LogFormat::Auto => "auto".to_owned(),
            LogFormat::Json => "json".to_owned(),
            LogFormat::Text => "text".to_owned(),
        });
        let durability = self.unsafe_durability.then(|| "unsafe".to_owned());
        let named = [
            ("database_url", self.database_url.clone()),
            ("redis.url", self.redis_url.clone()),
            ("keys", self.keys.clone()),
            ("store.durability", durability),
            ("log", log),
        ];
        given(named).chain(self.set.iter().cloned()).collect()
    }
}

impl ServeFlags {
    /// The settings among the flags.
    pub(crate) fn settings(&self) -> Vec<Flag> {
        let named = [
            ("listen", &self.listen),
            ("allowed_origins", &self.allowed_origins),
            ("trusted_proxies", &self.trusted_proxies),
            ("drain_seconds", &self.drain_seconds),
        ];
        given(named.map(|(name, value)| (name, value.clone()))).collect()
    }
}

fn given(named: impl IntoIterator<Item = (&'static str, Option<String>)>) -> impl Iterator<Item = Flag> {
    named.into_iter().filter_map(|(name, value)| Some(Flag { name: name.to_owned(), value: value? }))
}

fn parse_flag(text: &str) -> Result<Flag, InvalidValue> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or(InvalidValue::new("a setting", "must be given as NAME=VALUE"))?;
    Ok(Flag { name: name.to_owned(), value: value.to_owned() })
}
