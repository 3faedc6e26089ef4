//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use scoreboard_core::{BoardId, UserId};

use crate::archive::Days;

mod admin;
mod flags;

pub(crate) use admin::{Admin, CaseFlags, DecisionFlags, KindFlags, SpecFlags, WhichActions};
pub(crate) use flags::{CommonFlags, ServeFlags};

const AFTER_HELP: &str = "\
Without a command, it serves.

Settings: a flag counts before an environment variable, that before the file of --config, and that before the default. The \
setting `limits.update` is `--set limits.update=…`, `SCOREBOARD_LIMITS__UPDATE=…`, or `update = …` under `[limits]` in the file. \
`scoreboard-server config` lists all of them, with what counts now and where it was set.

Examples:
  scoreboard-server                                                  serve at http://127.0.0.1:8080/ from ./scoreboard.db
  scoreboard-server --listen 0.0.0.0:80 --database-url sqlite:///var/lib/scoreboard/scoreboard.db
  scoreboard-server --database-url postgres://scores@db/scores --keys scoreboard.keys   one of any number of servers
  scoreboard-server --database-url memory:                           nothing is kept; gone when it stops
  scoreboard-server --set limits.update=off                          no limit on updates, for a load test
  scoreboard-server config > scoreboard.toml                         a settings file to start from
  scoreboard-server admin create-user --email ada@example.org --display-name Ada --role admin
  scoreboard-server admin void --user ID --from 2026-11-01T00:00:00Z --reason 'a bot' --dry-run
  scoreboard-server verify                                           fold every log again and compare
  scoreboard-server verify --sign > heads.txt                        to be kept elsewhere, and compared later by `verify --head heads.txt`
  scoreboard-server export backup.jsonl                              beside a running server
  scoreboard-server copy --from sqlite://scoreboard.db --to postgres://scores@db/scores
  scoreboard-server copy --tables --from postgres://app@db/app --to postgres://scores@db/scores   of another system
  scoreboard-server watch --url https://scores.example --board main   live, on this terminal
  scoreboard-server archive --older-than 90d --to /var/lib/scoreboard/archive   of a log on PostgreSQL";

/// Verified, live scoreboards: signed actions, counted once, live on a page.
#[derive(Debug, Parser)]
#[command(name = "scoreboard-server", version, after_help = AFTER_HELP, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: CommonFlags,
    #[command(flatten)]
    pub(crate) serve: ServeFlags,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or Ctrl-C; this is what happens without a command
    Serve(ServeFlags),
    /// Print the settings that count, as a settings file, and where each was set
    Config(ServeFlags),
    /// Users, roles, boards, keys and incidents; may be used beside a running server
    #[command(subcommand)]
    Admin(Admin),
    /// Fold every log again and compare it with the scores: exit 0 if all agree, 1 at the first difference, 2 if it cannot be told
    Verify {
        /// Only this board
        #[arg(long)]
        board: Option<BoardId>,
        /// Also the files that `archive` has written, and the scores that stand on them
        #[arg(long, value_name = "FOLDER", conflicts_with = "board")]
        archive: Option<PathBuf>,
        /// Sign the heads of the logs that agree
        #[arg(long)]
        sign: bool,
        /// Also compare with the heads in a file: what an earlier `verify` has printed, kept where nobody who can write to the database can
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
        /// The key that the heads in the file must be signed by
        #[arg(long, value_name = "KEY", requires = "head")]
        public_key: Option<String>,
    },
    /// Write boards, users and logs as JSON Lines; may be used beside a running server
    Export {
        /// The file to write, which must not exist yet; `-` is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Leave out the users, whose password hashes would be in the file
        #[arg(long)]
        without_users: bool,
    },
    /// Read what `export` wrote, while no server has the database's file open; what is there already is skipped, so it may be repeated
    Import {
        /// The file to read; `-` is standard input
        file: PathBuf,
    },
    /// Put what is in one database into another: boards, users, logs and decisions, both folded at the end; may be repeated, and begun beside a
    /// running server. Keys go along with their file, who is signed in signs in again, and incidents stay behind: decide those that wait before
    Copy(CopyFlags),
    /// Write old parts of the log on PostgreSQL to files and drop them; may be used beside running servers, and again if it was ended
    Archive {
        /// How long ago a part's last action was started at least, in days, like 90d; 3d is the least
        #[arg(long, value_name = "DAYS")]
        older_than: Days,
        /// The folder for the files, which is there; to be kept as safe as the database
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
        /// Only say which parts would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Play against a running server with bots
    Demo(DemoFlags),
    /// Watch a board of a running server live, on the terminal; q quits. Where there is none, or with --plain, each change is a line
    Watch(WatchFlags),
}

#[derive(Debug, Args)]
pub(crate) struct CopyFlags {
    /// What to read, sqlite://FILE or postgres://USER@HOST/DATABASE; passwords are better kept in ~/.pgpass
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// Where to put it, made if it is not there; no server may have the file open
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Where the users of --from are, if it has an `accounts_url`
    #[arg(long, value_name = "URL", conflicts_with = "tables")]
    pub(crate) from_accounts: Option<String>,
    /// Where the users of --to are, if it has an `accounts_url`
    #[arg(long, value_name = "URL")]
    pub(crate) to_accounts: Option<String>,
    #[command(flatten)]
    pub(crate) tables: TablesFlags,
}

/// Another system's tables.
#[derive(Debug, Args)]
pub(crate) struct TablesFlags {
    /// What is read is another system's PostgreSQL database, with a table of users, whose passwords are bcrypt or Argon2 hashes, and a table of
    /// scores. Columns of users: id, email, password_hash or password, and if they are there display_name, username or name, and created_at; of
    /// scores: user_id, score or points, updated_at or created_at, and id if a user has several. In camelCase they are known as well
    #[arg(long)]
    pub(crate) tables: bool,
    /// The table of users, with or without its schema
    #[arg(long, default_value = "users", requires = "tables", value_name = "TABLE")]
    pub(crate) users_table: String,
    /// The table of scores
    #[arg(long, default_value = "scores", requires = "tables", value_name = "TABLE")]
    pub(crate) scores_table: String,
    /// The board that the scores are for
    #[arg(long, default_value = "main", requires = "tables")]
    pub(crate) board: BoardId,
}

#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// The server to play against
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// How many bots play
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) bots: u16,
    /// For how long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// On which board
    #[arg(long, default_value = "main")]
    pub(crate) board: BoardId,
}

#[derive(Debug, Args)]
pub(crate) struct WatchFlags {
    /// The server to watch, http:// or https://, with the path under which it is mounted, if any
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Which board
    #[arg(long, default_value = "main")]
    pub(crate) board: BoardId,
    /// How many of its first entries
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) limit: u8,
    /// In the place of the first: a user, wherever they are, with those next to them
    #[arg(long, value_name = "USER", conflicts_with = "limit")]
    pub(crate) around: Option<UserId>,
    /// How many on each side of that user
    #[arg(long, default_value_t = 5, requires = "around", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub(crate) radius: u8,
    /// A line for each change, as for a file or a pipe
    #[arg(long)]
    pub(crate) plain: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_behind_the_command() {
        for line in [
            ["scoreboard-server", "--listen", "1.2.3.4:5", "--set", "limits.update=off"].as_slice(),
            &["scoreboard-server", "serve", "--set", "limits.update=off", "--listen", "1.2.3.4:5"],
            &["scoreboard-server", "--set", "limits.update=off", "serve", "--listen", "1.2.3.4:5"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let mut flags = cli.common.settings();
            flags.extend(cli.serve.settings());
            if let Some(Command::Serve(serve)) = &cli.command {
                flags.extend(serve.settings());
            }
            let flag = |name: &str| flags.iter().find(|flag| flag.name == name).map(|flag| flag.value.as_str());
            assert_eq!((flag("listen"), flag("limits.update")), (Some("1.2.3.4:5"), Some("off")), "{line:?}");
        }
    }
}
