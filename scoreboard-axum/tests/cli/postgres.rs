//! The server and its commands on PostgreSQL: what an operator meets that is not so on a file.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::database::{Schema, Server, run};
use crate::folder::{Ended, Folder};
use crate::served::{PASSWORD, Served};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A folder with keys, and an empty schema.
fn place() -> (Folder, Schema) {
    let (folder, schema) = (Folder::new(), wait(Schema::create()));
    folder.ok(&["admin", "rotate-keys", "--keys", "my.keys", "--database-url", schema.url()]);
    (folder, schema)
}

fn served(folder: &Folder, schema: &Schema) -> Served {
    Served::start(folder, &["--keys", "my.keys", "--database-url", schema.url()])
}

fn metrics(server: &Served) -> String {
    Served::answer(server.send("GET", "/metrics", None, None)).1
}

/// The one line with which a server does not start on this URL.
fn refused(folder: &Folder, url: &str) -> String {
    folder.refused(&["--listen", "127.0.0.1:0", "--keys", "my.keys", "--database-url", url])
}

#[test]
fn every_command_works_there_beside_two_servers() {
    let (folder, schema) = place();
    let moderators_play =
        ["--keys", "my.keys", "--database-url", schema.url(), "--set", "accounts.second_factor=optional"];
    let servers = [(); 2].map(|()| Served::start(&folder, &moderators_play));
    servers[0].register("ada@example.org");
    let on = |args: &[&str]| folder.ok(&[args, &["--keys", "my.keys", "--database-url", schema.url()]].concat());
    assert!(on(&["admin", "grant-role", "ada@example.org", "moderator"]).ends_with("has the roles user, moderator\n"));
    assert!(on(&["admin", "remove-second-factor", "ada@example.org"]).ends_with("has no second factor\n"));
    let credentials = json!({"email": "ada@example.org", "password": PASSWORD});
    let (status, signed_in) = servers[1].post("/api/auth/login", None, &credentials);
    assert_eq!((status, &signed_in["user"]["roles"]), (200, &json!(["user", "moderator"])));

    // Signed by one, counted by the other: they have the same keys.
    let token = signed_in["token"].as_str().expect("a token");
    let action = servers[0].action(token, "tap");
    assert_eq!(servers[1].update(token, &action)["score"], 1);

    let verified = on(&["verify"]);
    assert!(verified.starts_with("main: clean up to version 1 (1 scores)\nmain: head 1 "), "{verified}");
    assert!(on(&["admin", "list-boards"]).starts_with("main "));
    assert_eq!(on(&["admin", "raise-epoch"]), "epoch 2 has begun; it was 1\n");
    let export = on(&["export"]);
    assert!(export.contains("\"type\":\"end\",\"boards\":1,\"users\":1,\"rows\":1"), "{export}");
    folder.write("copy.jsonl", &export);
    let other = wait(Schema::create());
    folder.ok(&["import", "copy.jsonl", "--database-url", other.url()]);
    assert_eq!(folder.ok(&["verify", "--database-url", other.url()]), verified, "a copy has the same head");
    folder.ok(&["import", "copy.jsonl"]);
    assert_eq!(folder.ok(&["verify"]), verified, "and into a file");
    for server in servers {
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn a_server_makes_no_keys_that_the_others_do_not_have() {
    let (folder, schema) = place();
    let none = folder.refused(&["--listen", "127.0.0.1:0", "--database-url", schema.url()]);
    assert!(none.contains("setting `keys`") && none.contains("--keys scoreboard.keys"), "{none}");
    let missing = folder.refused(&["--listen", "127.0.0.1:0", "--keys", "other.keys", "--database-url", schema.url()]);
    assert!(missing.contains("there is no key file other.keys") && missing.contains("rotate-keys"), "{missing}");
    assert!(!folder.path("other.keys").exists());
}

#[test]
fn a_command_that_only_reads_makes_no_scoreboard_by_a_typing_error() {
    let (folder, schema) = place();
    for args in [["export"].as_slice(), &["admin", "list-boards"]] {
        let refusal = folder.refused(&[args, &["--database-url", schema.url()]].concat());
        assert!(refusal.ends_with("there is no scoreboard in it"), "{refusal}");
    }
    wait(run(schema.url(), "CREATE TABLE boards (nothing_of_ours_is_here bigint)"));
}

#[test]
fn what_is_wrong_with_a_database_is_one_line_without_its_password() {
    let (folder, schema) = place();
    served(&folder, &schema).kill();
    wait(run(
        schema.url(),
        "INSERT INTO scoreboard_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, '\\x00', 0)",
    ));
    let (base, options) = schema.url().split_once("/postgres?").expect("the database `postgres`");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address");
    for (url, part) in [
        (format!("postgres://me:hidden@{closed}/scores"), format!("scores at {closed}: ")),
        (
            "postgres://me:hidden@no-such-host.invalid/scores".to_owned(),
            "scores at no-such-host.invalid:5432: ".to_owned(),
        ),
        (format!("{base}/no_such_database?password=hidden"), "database \"no_such_database\" does not exist".to_owned()),
        (schema.url().to_owned(), "written by a newer version of this program: its schema is 9999".to_owned()),
        (format!("{base}/postgres?{options}%20-c%20synchronous_commit%3Doff"), "synchronous_commit=off".to_owned()),
        (format!("{base}/postgres?{options}%20-c%20default_transaction_read_only%3Don"), "takes no writes".to_owned()),
        (format!("{base}/postgres?sslmode=require&password=hidden"), "server does not support TLS".to_owned()),
    ] {
        let refusal = refused(&folder, &url);
        assert!(refusal.starts_with("error: cannot open the database ") && refusal.contains(&part), "{url}: {refusal}");
        assert!(!refusal.contains("hidden"), "{refusal}");
    }
    // What the URL itself says wrong is told with the setting.
    for (url, part) in [
        (
            "postgres://me:hidden@db.example/scores?passwd=hidden",
            "`database_url` (command line): database URL has an option",
        ),
        ("postgres://me:hidden@db.example:port/scores", "must be like postgres://user:password@host"),
        ("postgres://me:hidden@db.example/scores?sslmode=sometimes", "must be like"),
    ] {
        let refusal = refused(&folder, url);
        assert!(refusal.contains(part) && !refusal.contains("hidden"), "{refusal}");
    }
}

#[test]
fn a_database_that_may_forget_is_used_only_when_told_to() {
    let (folder, schema) = place();
    let url = format!("{}%20-c%20synchronous_commit%3Doff", schema.url());
    assert!(refused(&folder, &url).contains("allow it by `unsafe_durability`"));
    let server = Served::start(&folder, &["--keys", "my.keys", "--database-url", &url, "--unsafe-durability"]);
    assert!(metrics(&server).contains("\nscoreboard_unsafe_durability 1\n"));
    assert_eq!(server.stop(), Some(0));
    assert!(folder.read("server.log").contains("may lose what it acknowledged"));
    let server = served(&folder, &schema);
    assert!(metrics(&server).contains("\nscoreboard_unsafe_durability 0\n"));
    assert_eq!(server.stop(), Some(0));
}

/// A server that wants passwords and speaks TLS, with a certificate of the tests' own for `localhost`.
fn guarded(folder: &Folder) -> (Server, u16) {
    let openssl = |args: &[&str]| {
        let made = Command::new("openssl").args(args).current_dir(folder.path("")).output().expect("openssl runs");
        assert!(made.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&made.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"];
    for (name, other) in [("ca", false), ("other", true)] {
        let subject = format!("/CN=authority of the tests{}", if other { " that signed nothing" } else { "" });
        let files = [format!("{name}.key"), format!("{name}.pem")];
        openssl(&[&["req", "-x509"], &key[..], &["-subj", &subject, "-keyout", &files[0], "-out", &files[1]]].concat());
    }
    openssl(&[&["req"], &key[..], &["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"]].concat());
    folder.write("names", "subjectAltName=DNS:localhost\n");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address").port();
    let settings = [
        "listen_addresses=127.0.0.1",
        &format!("port={port}"),
        "ssl=on",
        "ssl_cert_file=../server.pem",
        "ssl_key_file=../server.key",
    ];
    let prepare = |into: &Path| {
        let owner = fs::metadata(into).expect("the folder is there");
        for file in ["server.pem", "server.key"] {
            let copy = into.join(file);
            fs::copy(folder.path(file), &copy).expect("it is copied");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("its rights are set");
            chown(&copy, Some(owner.uid()), Some(owner.gid())).expect("it is given away");
        }
        let rules = "local all all trust\nhostssl all guarded 127.0.0.1/32 scram-sha-256\n";
        fs::write(into.join("data/pg_hba.conf"), rules).expect("the rules are written");
    };
    let server = Server::start_with(&settings, &std::env::temp_dir(), prepare);
    for statement in ["CREATE ROLE guarded LOGIN PASSWORD 'correct horse'", "CREATE DATABASE scores OWNER guarded"] {
        wait(run(&format!("{}?port={port}", server.url()), statement));
    }
    (server, port)
}

#[test]
fn passwords_and_certificates_are_checked_on_both_sides() {
    let folder = Folder::new();
    folder.ok(&["admin", "rotate-keys", "--keys", "my.keys", "--database-url", "postgres://localhost/scores"]);
    let (_server, port) = guarded(&folder);
    let url =
        |password: &str, options: &str| format!("postgres://guarded:{password}@localhost:{port}/scores?{options}");

    for (password, options, part) in [
        ("correct%20horse", "sslmode=verify-full", "UnknownIssuer"),
        ("correct%20horse", "sslmode=verify-full&sslrootcert=other.pem", "certificate"),
        ("correct%20horse", "sslmode=verify-ca&sslrootcert=other.pem", "certificate"),
        ("correct%20horse", "sslmode=require&sslrootcert=other.pem", "certificate"),
        ("correct%20horse", "sslmode=verify-full&sslrootcert=missing.pem", "No such file"),
        (
            "correct%20horse",
            "sslmode=verify-full&sslrootcert=ca.pem&hostaddr=127.0.0.1",
            "certificate not valid for name",
        ),
        ("correct%20horse", "sslmode=disable", "no encryption"),
        ("wrong-password", "sslmode=require", "password authentication failed for user \"guarded\""),
    ] {
        let refusal = refused(&folder, &url(password, options));
        assert!(refusal.contains(part), "{options}: {refusal}");
        assert!(!refusal.contains("horse") && !refusal.contains("wrong-password"), "{refusal}");
    }

    for options in ["sslmode=require", "sslmode=verify-ca&sslrootcert=ca.pem", "sslmode=verify-full&sslrootcert=ca.pem"]
    {
        let url = url("correct%20horse", options);
        let mut command = folder.command(&["--listen", "127.0.0.1:0", "--keys", "my.keys", "--database-url", &url]);
        command.env("RUST_LOG", "trace");
        let server = Served::start_command(&folder, command);
        server.register(&format!("{}@example.org", options.len()));
        let counted = metrics(&server);
        assert_eq!(server.stop(), Some(0));
        for said in [counted, folder.read("server.log")] {
            assert!(!said.contains("correct horse") && !said.contains("correct%20horse"), "{options}: {said}");
        }
    }

    // The password comes as well from where the command line does not show it.
    let mut command = folder.command(&["verify", "--keys", "my.keys"]);
    command.env("SCOREBOARD_DATABASE_URL", format!("postgres://guarded@localhost:{port}/scores?sslmode=require"));
    command.env("PGPASSWORD", "correct horse");
    let Ended { code, out, err } = Ended::of(command, "");
    assert_eq!((code, out.as_str()), (0, "main: clean up to version 0 (0 scores)\n"), "{err}");

    let mut config = folder.command(&["config"]);
    config.env("SCOREBOARD_DATABASE_URL", url("correct%20horse", "sslmode=require"));
    let Ended { code, out, err } = Ended::of(config, "");
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("guarded@localhost") && out.contains("without its password") && !out.contains("horse"),
        "{out}"
    );
}

/// How many calls waited for a connection, and how many of them for more than a quarter of a second.
fn waits(server: &Served) -> (u64, u64) {
    let counted = metrics(server);
    let value = |series: &str| {
        let line = counted
            .lines()
            .find_map(|line| line.strip_prefix("scoreboard_db_pool_wait_seconds_")?.strip_prefix(series));
        line.unwrap_or_else(|| panic!("no {series} in {counted}")).trim().parse::<u64>().expect("a number")
    };
    assert!(counted.contains("# HELP scoreboard_db_pool_wait_seconds How long"), "{counted}");
    let all = value("count{pool=\"primary\"}");
    (all, all - value("bucket{pool=\"primary\",le=\"0.25\"}"))
}

#[test]
fn who_waits_for_a_connection_is_seen_in_the_metrics() {
    let (folder, schema) = place();
    let flags = ["--keys", "my.keys", "--database-url", schema.url(), "--set", "store.connections=1"];
    let server = Served::start(&folder, &flags);
    server.register("ada@example.org");
    let (all, long) = waits(&server);
    assert!(all > 0 && long == 0, "{long} of {all}");
    // One login has the only connection and waits for a table, the other waits for the connection.
    let sleep = "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(0.8); COMMIT";
    std::thread::scope(|scope| {
        scope.spawn(|| wait(run(schema.url(), sleep)));
        std::thread::sleep(Duration::from_millis(200));
        let logins = [(); 2].map(|()| scope.spawn(|| server.log_in("ada@example.org")));
        for login in logins {
            login.join().expect("they sign in in the end");
        }
    });
    let (_, long) = waits(&server);
    assert!(long > 0, "nobody waited");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_server_that_has_not_started_yet_stops_when_it_is_told_to() {
    use scoreboard_postgres::sqlx::{AssertSqlSafe, Connection, PgConnection, query_scalar, raw_sql};
    let (folder, schema) = place();
    served(&folder, &schema).kill();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Without boards there is no store to open; without scores there are no first pages to warm up.
    for (table, stage) in [("boards", "opens the store"), ("scores", "warms up")] {
        let mut holder = runtime.block_on(PgConnection::connect(schema.url())).expect("it connects");
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        runtime.block_on(raw_sql(AssertSqlSafe(lock)).execute(&mut holder)).expect("it is locked");
        let flags = ["--listen", "127.0.0.1:0", "--keys", "my.keys", "--set", "store.timeout_ms=60000"];
        let mut command = folder.command(&[flags.as_slice(), &["--database-url", schema.url()]].concat());
        let log = fs::File::create(folder.path("early.log")).expect("a log");
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().expect("it runs");
        let waiting = format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass");
        let waits = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            let count = query_scalar::<_, i64>(AssertSqlSafe(waiting.clone()));
            runtime.block_on(count.fetch_one(&mut holder)).expect("a number") > 0
        });
        assert!(waits, "it {stage}: {}", folder.read("early.log"));
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let ended = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(25));
            child.try_wait().expect("it is ours")
        });
        let _ = child.kill();
        let log = folder.read("early.log");
        assert_eq!(ended.and_then(|ended| ended.code()), Some(0), "within five seconds, while it {stage}: {log}");
        assert!(log.contains("stopping before anything was served"), "{log}");
        runtime.block_on(holder.close()).expect("it lets go");
    }
    assert_eq!(served(&folder, &schema).stop(), Some(0), "and the next starts");
}

#[test]
fn users_scores_and_incidents_may_have_databases_of_their_own() {
    let (folder, scores) = place();
    let (accounts, analytics) = (wait(Schema::create()), wait(Schema::create()));
    let places = ["my.keys", scores.url(), accounts.url(), analytics.url()];
    let set = ["accounts_url", "analytics_url"].map(|name| name.to_owned() + "=");
    let (accounts_url, analytics_url) = (set[0].clone() + places[2], set[1].clone() + places[3]);
    let flags = ["--keys", places[0], "--database-url", places[1], "--set", &accounts_url, "--set", &analytics_url];
    let server = Served::start(&folder, &flags);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let action = server.action(&token, "tap");
    assert_eq!(server.update(&token, &action)["score"], 1);
    let on = |args: &[&str]| folder.ok(&[args, &flags].concat());
    // Its minimum is raised while it is under way, of which a running server knows within two seconds.
    let action = server.action(&token, "tap");
    on(&["admin", "set-kind", "main", "tap", "--points", "1", "--min-duration", "50", "--lifetime", "60"]);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(server.post("/api/scoreboard/update", Some(&token), &action).0, 403, "sooner than a tap takes");

    for (database, users, sessions, log, incidents) in
        [(&scores, 0, 0, 1, 0), (&accounts, 1, 1, 0, 0), (&analytics, 0, 0, 0, 1)]
    {
        let counts = [("users", users), ("sessions", sessions), ("log", log), ("incidents", incidents)];
        for (table, rows) in counts {
            assert_eq!(wait(count(database.url(), table)), rows, "{table}");
        }
    }
    assert!(on(&["admin", "grant-role", "ada@example.org", "admin"]).contains("user, admin"));
    assert!(!on(&["admin", "incidents"]).contains("no incidents"));
    let export = on(&["export"]);
    assert!(export.contains("\"type\":\"end\",\"boards\":1,\"users\":1,\"rows\":1"), "{export}");
    let shown = on(&["config"]);
    assert!(shown.contains("accounts_url = \"postgres"), "{shown}");
    assert_eq!(server.stop(), Some(0));

    let file = folder.refused(&["--listen", "127.0.0.1:0", "--set", &accounts_url]);
    assert!(file.contains("setting `accounts_url`") && file.contains("PostgreSQL"), "{file}");
    let other =
        folder.refused(&["--keys", "my.keys", "--database-url", places[1], "--set", "analytics_url=mysql://a/b"]);
    assert!(other.contains("setting `analytics_url`") && other.contains("postgres://"), "{other}");
}

#[test]
fn a_database_that_is_kept_apart_and_gone_is_told_by_the_health() {
    let (folder, scores) = place();
    let apart = Server::start(&[]);
    let accounts = format!("accounts_url={}", apart.url());
    let server = Served::start(&folder, &["--keys", "my.keys", "--database-url", scores.url(), "--set", &accounts]);
    let (status, report) = server.get("/health");
    assert_eq!((status, &report["parts"]["database"]["status"]), (200, &json!("up")), "{report}");
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let action = server.action(&token, "tap");
    server.update(&token, &action);
    assert_eq!(server.get("/api/scoreboard").1["entries"][0]["displayName"], "Ada");
    drop(apart);
    // Scores go on; the page whose names are gone is the last that was known, and another there is not.
    let action = server.action(&token, "tap");
    assert_eq!(server.update(&token, &action)["score"], 2);
    let mut page = String::new();
    server.send("GET", "/api/scoreboard", None, None).read_to_string(&mut page).expect("an answer");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("detail=names-unavailable"), "{page}");
    assert!(page.contains("\"score\":1") && page.contains("\"displayName\":\"Ada\""), "{page}");
    let (status, problem) = server.get("/api/scoreboard?limit=7");
    assert_eq!((status, &problem["detail"]), (503, &json!("the names of users cannot be read at the moment")));
    let counted = metrics(&server);
    assert!(counted.contains("scoreboard_cache_stale_answers_total{cause=\"names\"}"), "{counted}");
    assert!(!counted.contains("scoreboard_cache_stale_answers_total{cause=\"store\"}"), "{counted}");
    // A report is given out again for a second.
    let seen = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let (status, report) = server.get("/health");
        status == 503 && report["parts"]["database"]["status"] == "down"
    });
    assert!(seen, "the health says that all is well");
    assert_eq!(server.stop(), Some(0));
}

async fn count(url: &str, table: &str) -> i64 {
    use scoreboard_postgres::sqlx::{AssertSqlSafe, Connection, PgConnection, query_scalar};
    let mut connection = PgConnection::connect(url).await.expect("it connects");
    query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&mut connection)
        .await
        .expect("a number")
}
