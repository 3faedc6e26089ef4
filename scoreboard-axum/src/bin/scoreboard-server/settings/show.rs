//! The settings as a file that would set them, each with where it comes from.

use std::fmt::{self, Write};

use serde_json::Value as Json;

use crate::failure::{Failure, Result};
use crate::settings::Effective;

impl Effective {
    /// TOML: every setting that counts, and behind each where it was set. None of them is a secret.
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
        let set = format!("{key} = {value}");
        writeln!(text, "{set:<48} # {origin}")
    }
}
