//! Servers that cannot start, or whose world is gone, by settings that hold secrets; and what commands print of such settings.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::secrets::Secrets;
use crate::support::binary::server_binary;
use crate::support::client::Client;
use crate::support::server::free_address;
use crate::support::wait::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// What is printed, and where.
type Printed = Vec<(String, Vec<u8>)>;

fn command(settings: &[(&str, String)], words: &[&str]) -> Command {
    let mut command = Command::new(server_binary());
    command.args(words).env("RUST_LOG", "trace").env("SCOREBOARD_LOG", "json").stdin(Stdio::null());
    command.envs(settings.iter().map(|(name, value)| (*name, value)));
    command
}

/// Runs to its end, which must be a failure.
fn fails(printed: &mut Printed, what: &str, settings: &[(&str, String)], words: &[&str]) {
    let output = command(settings, words).output().expect("the binary starts");
    assert!(!output.status.success(), "{what} is refused");
    assert!(!output.stderr.is_empty(), "and says why");
    printed.push((what.to_owned(), [output.stdout, output.stderr].concat()));
}

/// Starts that fail: wrong places, dead places, values that break a rule, files that cannot be read.
pub(crate) fn broken(secrets: &mut Secrets, folder: &Path) -> Printed {
    let mut printed = Printed::new();
    let mut make = |name| {
        let secret = secrets.make(name);
        secrets.used(&[name]);
        secret
    };
    let memory = || ("SCOREBOARD_DATABASE_URL", "memory:".to_owned());
    let keys = folder.join("keys");
    std::fs::write(&keys, "{}").expect("the folder takes files");
    let dead = format!(
        "postgres://me:{}@127.0.0.1:1/scores?password={}",
        make("a dead database's password"),
        make("the same as an option")
    );
    let no_database = [("SCOREBOARD_DATABASE_URL", dead)];
    fails(&mut printed, "a dead database", &no_database, &["verify"]);
    for (what, name, url) in [
        ("a database that is none", "the password of what is no database", "postgres://me:{}@host:port/scores"),
        ("a database of a scheme that is none", "the password of a scheme that is none", "mysql://me:{}@host/scores"),
    ] {
        fails(&mut printed, what, &[("SCOREBOARD_DATABASE_URL", url.replace("{}", &make(name)))], &["verify"]);
    }
    for (what, name, setting, url) in [
        ("a Redis that is none", "the password of what is no Redis", "SCOREBOARD_REDIS__URL", "redis://:{}@host:port"),
        (
            "a mail server that is none",
            "the password of what is no mail server",
            "SCOREBOARD_MAIL__SMTP_URL",
            "imap://me:{}@host",
        ),
        (
            "an issuer's keys that are nowhere",
            "a secret of keys that are nowhere",
            "SCOREBOARD_OUTSIDE__JWKS_URL",
            "ftp://me:{}@host/keys",
        ),
        (
            "a user in the URL of keys",
            "a password in the URL of keys",
            "SCOREBOARD_OUTSIDE__JWKS_URL",
            "https://me:{}@127.0.0.1:1/keys",
        ),
        (
            "a user in a webhook's URL",
            "a password in a webhook's URL",
            "SCOREBOARD_ALERTS__WEBHOOK_URL",
            "https://me:{}@127.0.0.1:1/hook",
        ),
        (
            "a webhook that is none",
            "a secret of what is no webhook",
            "SCOREBOARD_ALERTS__WEBHOOK_URL",
            "ftp://me:{}@host/hook",
        ),
        ("a secret that is too short", "a secret that is too short", "SCOREBOARD_ALERTS__SECRET", "{}"),
        (
            "a secret in the place of a number",
            "a secret in the place of a number",
            "SCOREBOARD_REDIS__CONNECTIONS",
            "{}",
        ),
        ("a secret in the place of a word", "a secret in the place of a word", "SCOREBOARD_FRAUD__VELOCITY", "{}"),
    ] {
        let mut settings = vec![
            memory(),
            ("SCOREBOARD_MAIL__FROM", "scores@example.org".to_owned()),
            ("SCOREBOARD_OUTSIDE__ISSUER", "https://login.example".to_owned()),
            ("SCOREBOARD_OUTSIDE__AUDIENCE", "https://login.example".to_owned()),
            ("SCOREBOARD_LISTEN", free_address().to_string()),
        ];
        if setting == "SCOREBOARD_ALERTS__SECRET" {
            settings.push(("SCOREBOARD_ALERTS__WEBHOOK_URL", "http://127.0.0.1:1/hook".to_owned()));
        }
        if setting != "SCOREBOARD_OUTSIDE__JWKS_URL" {
            settings.retain(|(name, _)| !name.starts_with("SCOREBOARD_OUTSIDE"));
        }
        settings.push((setting, url.replace("{}", &make(name))));
        fails(&mut printed, what, &settings, &["serve"]);
    }
    for (what, name, text) in [
        ("a file that is not TOML", "a secret in what is not TOML", "[alerts]\nsecret = \"{}\nper_hour = 1\n"),
        ("a setting that is unknown", "a secret under an unknown name", "[alerts]\nsecrets = \"{}\"\n"),
        ("a table for a text", "a secret in a table", "[alerts.secret]\nvalue = \"{}\"\n"),
        ("a list for a text", "a secret in a list", "[alerts]\nsecret = [\"{}\"]\n"),
    ] {
        let file = folder.join("settings.toml");
        std::fs::write(&file, text.replace("{}", &make(name))).expect("the folder takes files");
        fails(&mut printed, what, &[memory()], &["--config", file.to_str().expect("text"), "config"]);
    }
    let broken = format!(
        "{{\"format\":\"scoreboard-keys\",\"version\":1,\"keys\":[{{\"id\":\"k\",\"secret\":\"{}\"",
        make("a key of a broken file")
    );
    std::fs::write(&keys, broken).expect("the folder takes files");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    let database = format!("sqlite://{}", folder.join("new.db").display());
    let settings = [("SCOREBOARD_DATABASE_URL", database), ("SCOREBOARD_KEYS", keys.display().to_string())];
    fails(&mut printed, "a broken key file", &settings, &["serve"]);
    printed
}

/// A server that serves while all that it calls is dead or refuses it, and what `config` and `--help` print of its settings.
pub(crate) async fn lonely(secrets: &mut Secrets, folder: &Path, mail_port: &str) -> Printed {
    let address = free_address();
    let settings = [
        ("SCOREBOARD_LISTEN", address.to_string()),
        ("SCOREBOARD_DATABASE_URL", "memory:".to_owned()),
        ("SCOREBOARD_REDIS__URL", format!("redis://:{}@127.0.0.1:1", secrets.make("a dead Redis' password"))),
        // One that takes mails, and no passwords.
        (
            "SCOREBOARD_MAIL__SMTP_URL",
            format!("smtp://me:{}@127.0.0.1:{mail_port}", secrets.make("a mail server's password")),
        ),
        ("SCOREBOARD_MAIL__FROM", "scores@example.org".to_owned()),
        ("SCOREBOARD_OUTSIDE__ISSUER", "https://login.example".to_owned()),
        ("SCOREBOARD_OUTSIDE__AUDIENCE", "https://login.example".to_owned()),
        (
            "SCOREBOARD_OUTSIDE__JWKS_URL",
            format!("http://127.0.0.1:1/keys?key={}", secrets.make("the key of an issuer's keys")),
        ),
        (
            "SCOREBOARD_SMS__WEBHOOK_URL",
            format!("http://127.0.0.1:1/sms?token={}", secrets.make("a token in a webhook's URL")),
        ),
        ("SCOREBOARD_SMS__SECRET", format!("{}{}", secrets.make("a webhook's secret"), "0123456789")),
    ];
    let log = folder.join("lonely.log");
    let file = std::fs::File::create(&log).expect("the folder takes files");
    let mut server = command(&settings, &["serve"]);
    server.stdout(file.try_clone().expect("a handle")).stderr(file);
    let mut server = Ended(server.spawn().expect("the binary starts"));
    let mut client = Client::new(address);
    until("the server is ready", PATIENCE, async || {
        assert!(server.0.try_wait().expect("it is ours").is_none(), "{}", std::fs::read_to_string(&log).expect("text"));
        client.get("/health/ready").await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    let account = serde_json::json!({ "email": "eve@example.org", "password": "a sentence nobody guesses", "displayName": "Eve" });
    client.post("/api/auth/register", &account).await.expect("it answers").expect(201);
    let forgot = serde_json::json!({ "email": "eve@example.org" });
    client.post("/api/auth/password/forgot", &forgot).await.expect("it answers").expect(202);
    let said = || std::fs::read_to_string(&log).expect("text");
    until("it has said what it cannot reach", PATIENCE, async || {
        let said = said();
        (said.contains("issuer's keys could not be fetched") && said.contains("smtp")).then_some(())
    })
    .await;
    secrets.used(&["a dead Redis' password", "a mail server's password", "the key of an issuer's keys"]);
    let mut printed = vec![("what the lonely server answers of itself".to_owned(), Vec::new())];
    for path in ["/health", "/metrics"] {
        let answer = client.get(path).await.expect("it answers");
        printed.push((format!("{path} of the lonely server"), answer.body.to_string().into_bytes()));
    }
    drop(server);
    printed.push(("the log of the lonely server".to_owned(), said().into_bytes()));
    for words in [&["config"][..], &["--help"], &["admin", "--help"]] {
        let output = command(&settings, words).output().expect("the binary starts");
        assert!(output.status.success());
        printed.push((format!("what `{}` prints", words.join(" ")), [output.stdout, output.stderr].concat()));
    }
    let shown = String::from_utf8_lossy(&printed[printed.len() - 3].1).into_owned();
    assert!(shown.contains("redis://") && shown.contains("webhook_url"), "the settings are shown: {shown}");
    secrets.used(&["a token in a webhook's URL", "a webhook's secret"]);
    printed
}

/// Ends with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
