//! The settings as a file that would set them, each with where it comes from.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use crate::failure::{Failure, Result};
use crate::settings::Effective;

impl Effective {
    /// TOML: every setting that counts, and behind each where it was set. What is secret in one is left out.
    pub(crate) fn to_toml(&self) -> Result<String> {
        let cannot = |error: &(dyn std::error::Error + 'static)| Failure::because("cannot show the settings", error);
        let Json::Object(settings) = serde_json::to_value(&self.settings).map_err(|error| cannot(&error))? else {
            unreachable!("a struct is an object");
        };
        let mut text = String::new();
        let (tables, values): (Vec<_>, Vec<_>) = settings.iter().partition(|(_, value)| value.is_object());
        for (name, value) in values {
            self.line(&mut text, name, name, value).map_err(|error| cannot(&error))?;
        }
        for (table, values) in tables {
            writeln!(text, "\n[{table}]").map_err(|error| cannot(&error))?;
            for (key, value) in values.as_object().into_iter().flatten() {
                self.line(&mut text, key, &format!("{table}.{key}"), value).map_err(|error| cannot(&error))?;
            }
        }
        Ok(text)
    }

    /// Texts, numbers and lists of texts are written in TOML as in JSON.
    fn line(&self, text: &mut String, key: &str, name: &str, value: &Json) -> fmt::Result {
        let origin = self.origins.get(name).map_or("default", String::as_str);
        let shown = match value {
            Json::String(url)
                if ["database_url", "accounts_url", "analytics_url", "redis.url", "mail.smtp_url"].contains(&name) =>
            {
                Json::String(without_password(url))
            }
            Json::String(url) if ["sms.webhook_url", "alerts.webhook_url", "outside.jwks_url"].contains(&name) => {
                Json::String(bare(url))
            }
            Json::String(_) if ["sms.secret", "alerts.secret"].contains(&name) => Json::String(String::new()),
            Json::Array(urls) if name == "replica_urls" => {
                urls.iter().filter_map(Json::as_str).map(without_password).collect()
            }
            other => other.clone(),
        };
        let origin = if shown == *value { origin.to_owned() } else { format!("{origin}; without its password") };
        let value = shown;
        let set = format!("{key} = {value}");
        writeln!(text, "{set:<48} # {origin}")
    }
}

/// The URL of a page without what may let somebody in: who asks, and what is asked.
fn bare(url: &str) -> String {
    let page = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = page.split_once("://") else { return page.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

/// The URL of a database or a Redis without the password that it may hold.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url
        .split_once("://")
        .filter(|(scheme, _)| ["postgres", "redis", "smtp"].iter().any(|known| scheme.starts_with(known)))
    else {
        return url.to_owned();
    };
    let (place, options) = rest.split_once('?').map_or((rest, None), |(place, options)| (place, Some(options)));
    // A password may hold any character but those that end it: the last `@` of the authority stands behind it.
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let shown = match authority.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or(user)),
        None => authority.to_owned(),
    };
    let kept = options.map(|options| {
        options.split('&').filter(|option| !option.starts_with("password=")).collect::<Vec<_>>().join("&")
    });
    let kept = kept.filter(|options| !options.is_empty()).map_or_else(String::new, |options| format!("?{options}"));
    format!("{scheme}://{shown}{path}{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_left_out_wherever_it_stands() {
        for (url, shown) in [
            ("postgres://me:secret@db/scores", "postgres://me@db/scores"),
            (
                "postgresql://me:se:cr@et@db:5433/scores?sslmode=require",
                "postgresql://me@db:5433/scores?sslmode=require",
            ),
            ("postgres://me@db/scores?sslmode=require&password=secret", "postgres://me@db/scores?sslmode=require"),
            ("postgres://:secret@db?password=secret", "postgres://@db"),
            ("smtps://me:secret@mail.example:465", "smtps://me@mail.example:465"),
            ("redis+cluster://:secret@one:7000,two:7000", "redis+cluster://@one:7000,two:7000"),
        ] {
            assert_eq!(without_password(url), shown);
        }
        for (url, shown) in [
            ("https://me:secret@chat.example/hook?token=secret#secret", "https://chat.example/hook"),
            ("http://127.0.0.1:8090?secret", "http://127.0.0.1:8090"),
            ("http://chat.example/hook", "http://chat.example/hook"),
            ("", ""),
        ] {
            assert_eq!(bare(url), shown);
        }
        for url in ["postgres://me@db/scores?sslmode=require", "postgres://db", "sqlite://a:b@c.db", "memory:"] {
            assert_eq!(without_password(url), url);
        }
    }
}
