//! What the types of the settings do not say.

use scoreboard_core::statistical::Stance;

use crate::place::Place;
use crate::settings::Settings;

impl Settings {
    /// The first setting that is out of bounds, and its rule.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { http, store, ranks, cache, redis, live, accounts, fraud, alerts, .. } = self;
        let bounds = [
            ("notice_seconds", self.notice_seconds, 0, 3600),
            ("drain_seconds", self.drain_seconds, 0, 3600),
            ("http.max_connections", http.max_connections as u64, 1, 1_000_000),
            ("http.max_connections_per_address", http.max_connections_per_address as u64, 1, 1_000_000),
            ("http.header_timeout_seconds", http.header_timeout_seconds, 1, 3600),
            ("http.write_timeout_seconds", http.write_timeout_seconds, 1, 3600),
            ("http.body_timeout_seconds", http.body_timeout_seconds, 1, 3600),
            ("http.request_timeout_seconds", http.request_timeout_seconds, 1, 3600),
            ("store.max_batch", store.max_batch as u64, 1, 10_000),
            ("store.queue", store.queue as u64, 1, 1_000_000),
            ("store.readers", store.readers.into(), 1, 256),
            ("store.connections", store.connections.into(), 1, 1000),
            ("store.timeout_ms", store.timeout_ms, 200, 60_000),
            ("store.log_part_days", store.log_part_days, 7, 3650),
            ("ranks.megabytes", ranks.megabytes as u64, 0, 1 << 20),
            ("cache.megabytes", cache.megabytes as u64, 1, 1 << 20),
            ("cache.lifetime_seconds", cache.lifetime_seconds, 1, 86_400),
            ("cache.stale_seconds", cache.stale_seconds, 0, 86_400),
            ("cache.monitor_seconds", cache.monitor_seconds, 1, 3600),
            ("cache.min_hit_percent", cache.min_hit_percent.into(), 0, 100),
            ("cache.max_memory_percent", cache.max_memory_percent.into(), 1, 100),
            ("cache.max_answer_ms", cache.max_answer_ms, 1, 60_000),
            ("redis.connections", redis.connections as u64, 1, 1000),
            ("redis.timeout_ms", redis.timeout_ms, 5, 10_000),
            ("redis.nodes", redis.nodes.get().into(), 1, 10_000),
            ("live.batch_interval_ms", live.batch_interval_ms, 1, 10_000),
            ("live.poll_interval_ms", live.poll_interval_ms, 100, 600_000),
            ("live.max_connections", live.max_connections as u64, 0, 1_000_000),
            ("live.max_connections_per_address", live.max_connections_per_address as u64, 0, 1_000_000),
            ("accounts.argon2_memory_kib", accounts.argon2_memory_kib.into(), 8, 4 << 20),
            ("accounts.argon2_iterations", accounts.argon2_iterations.into(), 1, 1000),
            ("accounts.bcrypt_cost", accounts.bcrypt_cost.into(), 10, 31),
            ("accounts.hash_queue", accounts.hash_queue as u64, 0, 100_000),
            ("accounts.min_password_chars", accounts.min_password_chars as u64, 8, 128),
            ("accounts.access_token_seconds", accounts.access_token_seconds, 30, 86_400),
            ("accounts.session_days", accounts.session_days, 1, 3650),
            ("fraud.max_outstanding", fraud.max_outstanding.get().into(), 1, 100_000),
            ("fraud.actions_per_hour", fraud.actions_per_hour.into(), 1, 65_535),
            ("fraud.hours_per_day", fraud.hours_per_day.into(), 1, 24),
            ("fraud.accounts_per_address", fraud.accounts_per_address.into(), 1, 255),
            ("fraud.accounts_per_device", fraud.accounts_per_device.into(), 1, 255),
            ("alerts.per_hour", alerts.per_hour as u64, 1, 10_000),
        ];
        for (name, value, min, max) in bounds {
            if value < min || value > max {
                return Err((name, format!("must be from {min} to {max}, not {value}")));
            }
        }
        if accounts.issuer.is_empty() || accounts.issuer.len() > 200 {
            return Err(("accounts.issuer", "must have 1 to 200 bytes".to_owned()));
        }
        self.outside.check()?;
        if !self.listen.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
            return Err(("listen", "must be an address and a port, like 127.0.0.1:8080 or [::]:8080".to_owned()));
        }
        if !self.public_url.starts_with("http://") && !self.public_url.starts_with("https://") {
            return Err(("public_url", "must be the URL of the page, like https://scores.example/".to_owned()));
        }
        if !self.mail.smtp_url.is_empty() && self.mail.from.is_empty() {
            return Err(("mail.from", "must say whom mails come from, like Scores <scores@example.org>".to_owned()));
        }
        if accounts.config().registers_by_mail && self.mail.smtp_url.is_empty() {
            return Err(("accounts.registration", "by `mail` needs a mail server: set mail.smtp_url".to_owned()));
        }
        if !alerts.emails.is_empty() && self.mail.smtp_url.is_empty() {
            return Err(("alerts.emails", "need a mail server: set mail.smtp_url".to_owned()));
        }
        for (name, stance) in
            [("fraud.shared_source", fraud.shared_source), ("fraud.shared_device", fraud.shared_device)]
        {
            if stance == Stance::Hold {
                let rule = "must not be hold: whoever makes accounts where somebody plays would have them held";
                return Err((name, rule.to_owned()));
            }
        }
        fraud.watch().map_err(|rule| ("fraud.steady_kinds", rule.to_string()))?;
        if !self.replica_urls.is_empty() && !self.database_url.starts_with("postgres") {
            return Err(("replica_urls", "are for a database on PostgreSQL".to_owned()));
        }
        for (name, url) in [("accounts_url", &self.accounts_url), ("analytics_url", &self.analytics_url)] {
            if !url.is_empty() && !self.database_url.starts_with("postgres") {
                return Err((name, "is for a database on PostgreSQL: a file holds all".to_owned()));
            }
            if !url.is_empty() {
                scoreboard_postgres::Config::from_url(url).map_err(|rule| (name, rule.to_string()))?;
            }
        }
        Place::of(self).map_err(|rule| ("database_url", rule))?;
        self.redis.config().map_err(|rule| ("redis.url", rule))?;
        ranks.config().map_err(|rule| ("ranks.boards", rule.to_string()))?;
        Ok(())
    }
}
