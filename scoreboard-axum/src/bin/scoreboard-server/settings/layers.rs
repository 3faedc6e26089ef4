//! Flags before environment before file before defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use serde_json::Value as Json;

use crate::failure::{Failure, Result};
use crate::settings::Settings;

const PREFIX: &str = "SCOREBOARD";
const SEPARATOR: &str = "__";
const COMMAND_LINE: &str = "command line";
const ENVIRONMENT: &str = "environment";

/// A setting that was named on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// Its name, like `limits.update`.
    pub(crate) name: String,
    /// Its value, as in an environment variable.
    pub(crate) value: String,
}

/// The settings that count, and where each was set.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) settings: Settings,
    /// By name; what is not in here is a default.
    pub(crate) origins: BTreeMap<String, String>,
}

impl Effective {
    /// Puts the layers over each other. `environment` holds the process's variables, of which those that begin with
    /// `SCOREBOARD_` are settings; `SCOREBOARD_CONFIG` names the file where `file` does not, and `SCOREBOARD_REDIS_URL` is `redis.url` where the longer
    /// name does not say it.
    pub(crate) fn load(flags: &[Flag], environment: Vec<(String, String)>, file: Option<&Path>) -> Result<Self> {
        let mut variables: Map<String, String> = environment.into_iter().collect();
        // As the URL of the database has it, though this one stands in a table.
        if let Some(url) = variables.remove("SCOREBOARD_REDIS_URL").filter(|url| !url.is_empty()) {
            variables.entry("SCOREBOARD_REDIS__URL".to_owned()).or_insert(url);
        }
        let named = variables.remove("SCOREBOARD_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = file.map(Path::to_owned).or(named);

        let mut builder = Config::builder();
        if let Some(path) = &file {
            builder = builder.add_source(read_file(path)?);
        }
        let variables = Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator(SEPARATOR)
            .ignore_empty(true)
            .source(Some(variables));
        let merged = builder.add_source(variables).add_source(Flags(flags.to_vec())).build().map_err(|e| bad(&e))?;

        let known = serde_json::to_value(Settings::default())
            .map_err(|error| Failure::because("cannot list the settings", &error))?;
        let mut origins = BTreeMap::new();
        walk(&merged.cache, &known, "", file.as_deref(), &mut origins)?;
        let settings: Settings = merged.try_deserialize().map_err(|error| explain(&error, &origins))?;
        settings.check().map_err(|(name, rule)| refuse(name, &origins, &rule))?;
        Ok(Self { settings, origins })
    }

    /// What an error about this setting begins with: its name and where it was set.
    pub(crate) fn refuse(&self, name: &str, rule: impl std::fmt::Display) -> Failure {
        refuse(name, &self.origins, &rule.to_string())
    }
}

/// Reads the file itself, so that a missing one is told apart from a broken one.
fn read_file(path: &Path) -> Result<impl Source + Send + Sync + 'static + use<>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format_args!("cannot read the settings file {shown}: {error}")))?;
    let source = File::from_str(&text, FileFormat::Toml);
    source
        .collect()
        .map_err(|error| Failure::new(format_args!("the settings file {shown} is not TOML: {}", first_line(&error))))?;
    Ok(source)
}

/// Checks names and rough types against the defaults, and notes where each setting comes from.
fn walk(
    value: &Value,
    known: &Json,
    name: &str,
    file: Option<&Path>,
    origins: &mut BTreeMap<String, String>,
) -> Result<()> {
    let origin = || origin_of(value, name, file);
    let expected = |what: &str| Err(Failure::new(format_args!("setting `{name}` ({}): must be {what}", origin())));
    match (&value.kind, known) {
        (ValueKind::Table(table), Json::Object(known)) => {
            let sorted: BTreeMap<_, _> = table.iter().collect();
            for (key, value) in sorted {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let Some(known_here) = known.get(key) else {
                    let names: Vec<_> = known.keys().map(String::as_str).collect();
                    let origin = origin_of(value, &name, file);
                    let names = names.join(", ");
                    return Err(Failure::new(format_args!("unknown setting `{name}` ({origin}); known here: {names}")));
                };
                walk(value, known_here, &name, file, origins)?;
            }
            Ok(())
        }
        (_, Json::Object(_)) => expected("a table of settings"),
        (ValueKind::Table(_), _) => expected("a value, not a table"),
        (ValueKind::String(_) | ValueKind::I64(_) | ValueKind::U64(_), Json::Number(_))
        | (ValueKind::String(_), Json::String(_) | Json::Array(_))
        | (ValueKind::Array(_), Json::Array(_)) => {
            origins.insert(name.to_owned(), origin());
            Ok(())
        }
        (_, Json::Number(_)) => expected("a whole number"),
        (_, Json::Array(_)) => expected("a list of texts, or one text with commas"),
        (_, _) => expected("a text"),
    }
}

/// Where a value was set, in the words of whoever set it.
fn origin_of(value: &Value, name: &str, file: Option<&Path>) -> String {
    match value.origin() {
        Some(COMMAND_LINE) => COMMAND_LINE.to_owned(),
        Some(_) => format!("{ENVIRONMENT}: {PREFIX}_{}", name.replace('.', SEPARATOR).to_uppercase()),
        None => file.map_or_else(|| "file".to_owned(), |file| format!("file: {}", file.display())),
    }
}

fn refuse(name: &str, origins: &BTreeMap<String, String>, rule: &str) -> Failure {
    let origin = origins.get(name).map_or("default", String::as_str);
    Failure::new(format_args!("setting `{name}` ({origin}): {rule}"))
}

/// Without the value: what is no number may be a password in the wrong place.
fn explain(error: &ConfigError, origins: &BTreeMap<String, String>) -> Failure {
    match error {
        ConfigError::Type { expected, key: Some(key), .. } => refuse(key, origins, &format!("must be {expected}")),
        ConfigError::At { error, key: Some(key), .. } => match &**error {
            ConfigError::Type { expected, .. } => refuse(key, origins, &format!("must be {expected}")),
            other => refuse(key, origins, &first_line(other)),
        },
        other => bad(other),
    }
}

fn bad(error: &ConfigError) -> Failure {
    Failure::new(format_args!("bad settings: {error}"))
}

/// A parser's complaint without the drawing of the place.
fn first_line(error: &ConfigError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The command line as a layer.
#[derive(Debug, Clone)]
struct Flags(Vec<Flag>);

impl Source for Flags {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let origin = COMMAND_LINE.to_owned();
        Ok(self.0.iter().map(|flag| (flag.name.clone(), Value::new(Some(&origin), flag.value.as_str()))).collect())
    }
}
