use crate::folder::{Ended, Folder};

/// The line of a setting in what `config` prints.
fn line(text: &str, key: &str) -> String {
    let found = text.lines().find(|line| line.starts_with(&format!("{key} = ")));
    found.unwrap_or_else(|| panic!("no {key} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn flags_count_before_environment_before_file_before_defaults() {
    let folder = Folder::new();
    folder.write("s.toml", "listen = \"127.0.0.1:3\"\ndrain_seconds = 3\n[limits]\nupdate = \"3/s\"\nread = \"3/s\"\n");
    let mut command =
        folder.command(&["config", "--config", "s.toml", "--listen", "127.0.0.1:1", "--set", "limits.login=1/s"]);
    command.env("SCOREBOARD_LISTEN", "127.0.0.1:2").env("SCOREBOARD_LIMITS__UPDATE", "2/s");
    command
        .env("SCOREBOARD_LIMITS__LOGIN", "2/s")
        .env("SCOREBOARD_ALLOWED_ORIGINS", "https://a.example, https://b.example");
    command.env("SCOREBOARD_LOG", "");
    let Ended { code, out, err } = Ended::of(command, "");
    assert_eq!(code, 0, "{err}");
    assert_eq!(line(&out, "listen"), "listen = \"127.0.0.1:1\" # command line");
    assert_eq!(line(&out, "login"), "login = \"1/s\" # command line");
    assert_eq!(line(&out, "update"), "update = \"2/s\" # environment: SCOREBOARD_LIMITS__UPDATE");
    assert_eq!(line(&out, "read"), "read = \"3/s\" # file: s.toml");
    assert_eq!(line(&out, "drain_seconds"), "drain_seconds = 3 # file: s.toml");
    assert_eq!(line(&out, "register"), "register = \"60/h\" # default");
    assert_eq!(line(&out, "log"), "log = \"auto\" # default", "an empty variable is none");
    let origins =
        r#"allowed_origins = ["https://a.example","https://b.example"] # environment: SCOREBOARD_ALLOWED_ORIGINS"#;
    assert_eq!(line(&out, "allowed_origins"), origins);
}

#[test]
fn redis_is_named_as_the_database_is() {
    let folder = Folder::new();
    for (variables, url) in [
        (vec![("SCOREBOARD_REDIS_URL", "redis://a.example")], "url = \"redis://a.example\""),
        (
            vec![("SCOREBOARD_REDIS_URL", "redis://a.example"), ("SCOREBOARD_REDIS__URL", "redis://b.example")],
            "url = \"redis://b.example\"",
        ),
    ] {
        let mut command = folder.command(&["config"]);
        command.envs(variables);
        let Ended { code, out, err } = Ended::of(command, "");
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(url), "{out}");
    }
}

#[test]
fn what_config_prints_is_a_settings_file_that_says_the_same() {
    let folder = Folder::new();
    let first = folder.ok(&["config", "--set", "limits.update=off", "--drain-seconds", "7"]);
    folder.write("printed.toml", &first);
    let second = folder.ok(&["config", "--config", "printed.toml"]);
    let values =
        |text: &str| text.lines().map(|line| line.split('#').next().unwrap_or("").to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&first), values(&second));
    let mut by_variable = folder.command(&["config"]);
    by_variable.env("SCOREBOARD_CONFIG", "printed.toml");
    assert_eq!(Ended::of(by_variable, "").out, second);
}

#[test]
fn a_bad_setting_is_named_with_where_it_was_set() {
    let folder = Folder::new();
    for (args, parts) in [
        (["--set", "limits.update=10/fortnight"], ["`limits.update` (command line)", "`10/min`"]),
        (["--set", "limits.updat=10/min"], ["unknown setting `limits.updat` (command line)", "update"]),
        (["--set", "nonsense=1"], ["unknown setting `nonsense`", "database_url"]),
        (["--set", "limits=off"], ["`limits` (command line)", "table"]),
        (["--set", "drain_seconds=soon"], ["`drain_seconds` (command line)", "must be an integer"]),
        (["--set", "drain_seconds=-1"], ["`drain_seconds` (command line)", "must be an integer"]),
        (["--set", "store.readers=0"], ["`store.readers` (command line)", "from 1 to 256"]),
        (["--set", "fraud.max_outstanding=0"], ["`fraud.max_outstanding` (command line)", "0"]),
        (["--set", "fraud.shared_source=hold"], ["`fraud.shared_source` (command line)", "must not be hold"]),
        (["--set", "fraud.shared_device=hold"], ["`fraud.shared_device` (command line)", "must not be hold"]),
        (["--set", "fraud.accounts_per_device=0"], ["`fraud.accounts_per_device` (command line)", "from 1 to 255"]),
        (["--set", "fraud.accounts_per_address=256"], ["`fraud.accounts_per_address` (command line)", "from 1 to 255"]),
        (["--set", "accounts.hash=md5"], ["`accounts.hash` (command line)", "argon2id"]),
        (["--set", "log=loud"], ["`log` (command line)", "`json`, `text` or `auto`"]),
        (["--listen", "8080"], ["`listen` (command line)", "127.0.0.1:8080"]),
        (
            ["--database-url", "mysql://host/db"],
            ["`database_url` (command line)", "sqlite://FILE, postgres://, memory:"],
        ),
        (["--database-url", "sqlite://"], ["`database_url` (command line)", "sqlite://scoreboard.db"]),
        (["--allowed-origins", "not an origin"], ["`allowed_origins` (command line)", "not an origin"]),
        (["--trusted-proxies", "10.0.0.0/99"], ["`trusted_proxies` (command line)", "10.0.0.0/99"]),
        (["--set", "accounts.registration=post"], ["`accounts.registration` (command line)", "`form` or `mail`"]),
        (["--set", "accounts.registration=mail"], ["`accounts.registration` (command line)", "set mail.smtp_url"]),
    ] {
        let refusal = folder.refused(&args);
        assert!(parts.iter().all(|part| refusal.contains(part)), "{args:?}: {refusal}");
    }
    let mut unknown = folder.command(&[]);
    unknown.env("SCOREBOARD_LIMITS__UPDTE", "1/s");
    let refusal = Ended::of(unknown, "").one_line(1);
    assert!(refusal.contains("SCOREBOARD_LIMITS__UPDTE"), "{refusal}");
    assert_eq!(std::fs::read_dir(folder.path(".")).expect("a folder").count(), 0, "nothing was made");
}

#[test]
fn a_bad_settings_file_is_one_line() {
    let folder = Folder::new();
    assert!(folder.refused(&["--config", "missing.toml"]).contains("missing.toml"));
    for (text, part) in [
        ("listen = ", "not TOML"),
        ("lisen = \"127.0.0.1:1\"", "unknown setting `lisen` (file: s.toml)"),
        ("drain_seconds = 1.5", "`drain_seconds` (file: s.toml): must be a whole number"),
        ("drain_seconds = true", "`drain_seconds` (file: s.toml): must be a whole number"),
        ("listen = 8080", "`listen` (file: s.toml): must be a text"),
        ("[listen]\na = 1", "`listen` (file: s.toml): must be a value"),
        ("[limits]\nupdate = 10", "`limits.update` (file: s.toml): must be a text"),
    ] {
        folder.write("s.toml", text);
        let refusal = folder.refused(&["--config", "s.toml"]);
        assert!(refusal.contains(part), "{text}: {refusal}");
    }
}

#[test]
fn help_names_every_command_and_the_order_of_the_settings() {
    let help = Folder::new().ok(&["--help"]);
    for word in
        ["serve", "config", "admin", "verify", "export", "import", "demo", "SCOREBOARD_LISTEN", "a flag counts before"]
    {
        assert!(help.contains(word), "no {word} in {help}");
    }
}
