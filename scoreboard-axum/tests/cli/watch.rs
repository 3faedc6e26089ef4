use std::process::Stdio;

use crate::folder::Folder;
use crate::served::Served;
use crate::terminal::Terminal;

/// A server that comes back where it was, with two users who have taps at hand.
struct Arena {
    folder: Folder,
    address: String,
    tokens: [String; 2],
}

const UNLIMITED: [&str; 8] = [
    "--set",
    "limits.update=off",
    "--set",
    "limits.generate_action=off",
    "--set",
    "limits.register=off",
    "--set",
    "limits.login=off",
];

impl Arena {
    fn open() -> (Self, Served) {
        let folder = Folder::new();
        let server = Served::start(&folder, &UNLIMITED);
        let tokens = ["Ada", "Ben"].map(|name| {
            let email = format!("{name}@example.org");
            server.register_as(&email, name);
            server.log_in(&email)
        });
        let address = server.url().trim_start_matches("http://").to_owned();
        (Self { folder, address, tokens }, server)
    }

    /// The same server again.
    fn serve(&self) -> Served {
        let mut command = self.folder.command(&[&["--listen", &self.address], &UNLIMITED[..]].concat());
        command.env_remove("RUST_LOG");
        Served::start_command(&self.folder, command)
    }

    fn taps(&self, server: &Served, user: usize, times: usize) {
        for _ in 0..times {
            let token = &self.tokens[user];
            server.update(token, &server.action(token, "tap"));
        }
    }

    fn watch(&self, more: &str) -> String {
        format!("{} watch --url http://{} {more}", env!("CARGO_BIN_EXE_scoreboard-server"), self.address)
    }
}

/// The line of this user, with single spaces.
fn row(screen: &str, name: &str) -> String {
    let line = screen.lines().find(|line| line.contains(name)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_board_is_watched_on_a_terminal_through_a_crash_of_the_server() {
    let (arena, server) = Arena::open();
    arena.taps(&server, 0, 1);
    let terminal = Terminal::open(80, 20);
    terminal.line(&arena.watch(""));
    let screen = terminal.wait("the board is live", |screen| screen.contains(" LIVE"));
    assert_eq!(row(&screen, "Ada"), "1 Ada 1", "{screen}");
    assert!(screen.contains("version 1 of epoch 1, 1 in all"), "{screen}");
    assert_eq!(terminal.modes(), (true, false), "a screen of its own, without a cursor");

    // Who comes is new, who overtakes goes up and the other down, in colours; then the marks fade.
    arena.taps(&server, 1, 1);
    terminal.wait("Ben is new", |screen| row(screen, "Ben") == "2 new Ben 1");
    arena.taps(&server, 1, 1);
    terminal.wait("Ben goes up", |screen| row(screen, "Ben") == "1 ▲1 Ben 2 +1" && row(screen, "Ada") == "2 ▼1 Ada 1");
    let colours = terminal.colours();
    assert!(colours.contains("\u{1b}[38;5;2m▲1") && colours.contains("\u{1b}[38;5;1m▼1"), "{colours}");
    terminal.wait("the marks fade", |screen| row(screen, "Ben") == "1 Ben 2" && row(screen, "Ada") == "2 Ada 1");

    // The window changes its size: as much is shown as there is room for.
    terminal.resize(40, 6);
    terminal.wait("one row has room", |screen| {
        screen.lines().count() == 6 && screen.contains("Ben") && !screen.contains("Ada")
    });
    terminal.resize(100, 20);
    terminal.wait("both have", |screen| screen.contains("Ada") && screen.contains("127.0.0.1"));

    server.kill();
    let screen = terminal.wait("the server is gone", |screen| {
        screen.contains(" OFFLINE since ") && screen.contains("Connection refused; trying again")
    });
    assert_eq!(row(&screen, "Ben"), "1 Ben 2", "what was known stays: {screen}");
    // Somewhere else, lest the watcher comes by itself before both have counted.
    let elsewhere = Served::start(&arena.folder, &UNLIMITED);
    arena.taps(&elsewhere, 0, 2);
    elsewhere.kill();
    let _server = arena.serve();
    // As a user does who does not want to wait.
    terminal.key("r");
    let screen = terminal.wait("it is live again", |screen| screen.contains(" LIVE"));
    assert_eq!(row(&screen, "Ada"), "1 ▲1 Ada 3 +2", "{screen}");

    terminal.key("q");
    terminal.is_given_back();
}

#[test]
fn however_it_ends_the_terminal_is_given_back() {
    let (arena, server) = Arena::open();
    for end in ["C-c", "TERM", "nothing"] {
        let terminal = Terminal::open(80, 20);
        let board = if end == "nothing" { "--board nothing" } else { "" };
        terminal.line(&format!(
            "sh -c 'echo $$ > {}; exec {}'",
            arena.folder.path("pid").display(),
            arena.watch(board)
        ));
        if end != "nothing" {
            terminal.wait("it is live", |screen| screen.contains(" LIVE"));
            assert_eq!(terminal.modes(), (true, false));
        }
        match end {
            "TERM" => {
                let pid = arena.folder.read("pid");
                let sent = std::process::Command::new("kill").args(["-TERM", pid.trim()]).status();
                assert!(sent.expect("kill runs").success());
            }
            "nothing" => {
                terminal.wait("it is refused", |screen| {
                    screen.replace('\n', "").contains("error: the board `nothing` cannot be watched")
                });
            }
            key => terminal.key(key),
        }
        terminal.is_given_back();
    }
    drop(server);
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    let (arena, server) = Arena::open();
    server.kill();
    let terminal = Terminal::open(80, 20);
    terminal.line(&arena.watch(""));
    terminal.wait("nobody is there", |screen| screen.contains(" OFFLINE since ") && screen.contains("cannot connect"));
    let _server = arena.serve();
    terminal.key("r");
    terminal.wait("now it is", |screen| screen.contains(" LIVE") && screen.contains("version 0 of epoch 1, 0 in all"));
}

#[test]
fn without_a_terminal_each_change_is_a_line() {
    let (arena, server) = Arena::open();
    arena.taps(&server, 0, 2);
    let mut command = arena.folder.command(&["watch", "--url", &server.url(), "--limit", "1"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
    let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = std::io::BufRead::lines(out).map(|line| {
        let line = line.expect("text");
        let (time, rest) = line.split_once(' ').expect("a time and more");
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        rest.to_owned()
    });
    let mut next =
        |wanted: &str| assert_eq!(lines.by_ref().find(|line| line != "main catching up").as_deref(), Some(wanted));
    next("main 1.2 #1 Ada 2");
    next("main live");
    arena.taps(&server, 0, 1);
    next("main 1.3 #1 Ada 3 (+1)");
    arena.taps(&server, 1, 1);
    next("main 1.4 the same, of 2 in all");
    server.kill();
    let line = lines.next().expect("it goes on");
    assert!(line.starts_with("main offline: "), "{line}");
    // Whoever read has seen enough: the next line ends it, and that is no failure.
    drop(lines);
    let server = arena.serve();
    arena.taps(&server, 0, 1);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn what_cannot_be_watched_is_told_in_one_line() {
    let (arena, server) = Arena::open();
    let url = server.url();
    let elsewhere = format!("{url}/elsewhere");
    for (args, part) in [
        (["--url", "nonsense"], "`nonsense`: server must begin with http://"),
        (["--url", "http://ada:secret@127.0.0.1/"], "must hold no user and no password"),
        (["--url", &elsewhere], "is no scoreboard: the server answered 404"),
    ] {
        let refusal = arena.folder.refused(&[&["watch"], &args[..]].concat());
        assert!(refusal.contains(part), "{refusal}");
    }
    let refusal = arena.folder.refused(&["watch", "--url", &url, "--board", "nothing"]);
    assert!(
        refusal.contains("the board `nothing` cannot be watched at") && refusal.contains("(not_found)"),
        "{refusal}"
    );
    for args in
        [["--limit", "0"], ["--limit", "101"], ["--board", "Not A Slug"], ["--around", "Ada"], ["--radius", "3"]]
    {
        let refused = arena.folder.run(&[&["watch"], &args[..]].concat());
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}
