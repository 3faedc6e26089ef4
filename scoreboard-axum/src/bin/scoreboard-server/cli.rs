//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use scoreboard_core::accounts::{Email, Role};
use scoreboard_core::{
    ActionId, BoardId, Direction, IncidentId, InvalidValue, KeyId, KindId, ModerationId, Operator, TieBreak, Timestamp,
    UserId,
};

use crate::archive::Days;
use crate::settings::{Flag, LogFormat};

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
    /// SCOREBOARD_REDIS__URL]
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
    /// Put all that is in one database into another: boards, users and logs, both folded at the end; may be repeated, and begun beside a
    /// running server. Keys go along with their file, and who is signed in signs in again
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

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Make an account; the password is asked for, or read from standard input
    CreateUser {
        #[arg(long)]
        email: String,
        #[arg(long)]
        display_name: String,
        /// user, moderator or admin; may be repeated
        #[arg(long)]
        role: Vec<Role>,
    },
    /// Give a user a role: user, moderator or admin
    GrantRole { email: Email, role: Role },
    /// Take a role from a user
    RevokeRole { email: Email, role: Role },
    /// Take the second factor from a user who has lost it, and the recovery codes too
    RemoveSecondFactor { email: Email },
    /// Make a board, with an empty catalogue
    CreateBoard {
        board: BoardId,
        #[command(flatten)]
        spec: SpecFlags,
    },
    /// Change a board; direction, operator and tie-break are fixed once something counted on it
    ChangeBoard {
        board: BoardId,
        #[command(flatten)]
        spec: SpecFlags,
    },
    /// List the boards with their catalogues
    ListBoards,
    /// Add a kind of action to a board's catalogue, or change it
    SetKind {
        board: BoardId,
        kind: KindId,
        #[command(flatten)]
        kind_flags: KindFlags,
    },
    /// Take a kind of action out of a board's catalogue
    RemoveKind { board: BoardId, kind: KindId },
    /// Sign with a new key; those before it verify for another 25 hours. Running servers read the file again every 2 seconds
    RotateKeys {
        /// How many older keys stay in the file, to open what was sealed with them
        #[arg(long, default_value_t = 2, value_name = "NUMBER")]
        keep: usize,
        /// When the new key begins to sign: by then every server must have the file
        #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=604_800))]
        after: u64,
    },
    /// List the keys of the key file, and what each is good for
    ListKeys,
    /// Refuse all that a key has signed, tokens and actions, on every server of the database; for one that has leaked
    RevokeKey { id: KeyId },
    /// Begin a new epoch: to be done once after a backup was restored, so that version numbers given twice are told apart
    RaiseEpoch,
    /// Make a key with which a trusted game server records results, and print it, once
    CreateServerKey {
        name: KeyId,
        /// Make a pair with which it signs each request, in the place of a secret that it shows; see docs/signed-requests.md
        #[arg(long)]
        signing: bool,
    },
    /// Take such a key away
    RemoveServerKey { name: KeyId },
    /// Make actions void: they count no longer
    Void {
        #[command(flatten)]
        which: WhichActions,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Let void actions count again
    Unvoid {
        #[command(flatten)]
        which: WhichActions,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Hold a user: what they do from now on counts for nobody else until `release`
    Hold {
        user: UserId,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Shadow a user: they stand on no board, and see themselves on it
    Shadow {
        user: UserId,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Ban a user: they stand on no board, and nothing of them is taken
    Ban {
        user: UserId,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Let a user who is held be as any other: what was pending counts, unless it was made void
    Release {
        user: UserId,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Let a user who is shadowed or banned be as any other
    Unban {
        user: UserId,
        #[command(flatten)]
        decision: DecisionFlags,
    },
    /// Confirm an incident as fraud: what was found is void if its rule was to hold the user
    ConfirmIncident {
        incident: IncidentId,
        /// Whether what was found is void [default: if the rule was to hold the user]
        #[arg(long, value_name = "true|false")]
        void: Option<bool>,
        #[command(flatten)]
        case: CaseFlags,
    },
    /// Dismiss an incident: whom its rule holds is let go, and all that was pending counts
    DismissIncident {
        incident: IncidentId,
        #[command(flatten)]
        case: CaseFlags,
    },
    /// List the newest decisions of moderators
    Moderations {
        #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// List the newest incidents
    Incidents {
        #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
}

/// Which actions: those that are named, or those of which all of the other conditions hold.
#[derive(Debug, Args)]
pub(crate) struct WhichActions {
    /// This action; may be repeated
    #[arg(long = "action", value_name = "ID", required_unless_present_any = ["user", "rule"],
          conflicts_with_all = ["board", "user", "rule", "from", "until"])]
    pub(crate) actions: Vec<ActionId>,
    /// On this board [default: all]
    #[arg(long)]
    pub(crate) board: Option<BoardId>,
    /// Of this user
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<UserId>,
    /// Of the users about whom this fraud rule has written an incident down that nobody has dismissed, on its board
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Counted from this moment on
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Counted before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
}

/// How a decision is made.
#[derive(Debug, Args)]
pub(crate) struct DecisionFlags {
    /// Why; it is kept
    #[arg(long)]
    pub(crate) reason: String,
    /// Who decides; it is kept
    #[arg(long, value_name = "NAME", default_value = "command line")]
    pub(crate) by: String,
    /// Names the decision, so that it is carried out once however often it is tried [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<ModerationId>,
    /// Only tell what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How an incident is decided.
#[derive(Debug, Args)]
pub(crate) struct CaseFlags {
    /// The e-mail address of who decides; it is kept who they are
    #[arg(long, value_name = "EMAIL")]
    pub(crate) by: Email,
    /// Why; it is kept
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    /// Whether the user is let go whom a rule holds [default: if it is dismissed, and no other such incident is open]
    #[arg(long, value_name = "true|false")]
    pub(crate) release: Option<bool>,
}

/// What a board is. What is left out stays as it is, or is the default for a new board.
#[derive(Debug, Clone, Args)]
pub(crate) struct SpecFlags {
    /// Its name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Which end leads: descending (the highest; default) or ascending
    #[arg(long, value_parser = word::<Direction>)]
    pub(crate) direction: Option<Direction>,
    /// What points do: increment (default), best, set or decrement
    #[arg(long, value_parser = word::<Operator>)]
    pub(crate) operator: Option<Operator>,
    /// Who leads among equals: earliest (default) or latest
    #[arg(long, value_parser = word::<TieBreak>)]
    pub(crate) tie_break: Option<TieBreak>,
}

#[derive(Debug, Args)]
pub(crate) struct KindFlags {
    /// What it is worth: a number, or MIN..MAX where the caller names it
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) points: String,
    /// How long it takes at least
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) min_duration: u32,
    /// How long after its start it can be handed in
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) lifetime: u32,
    /// How often it counts for a user in a day [default: any number]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) per_day: Option<u32>,
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

/// The words of the wire are those of the command line.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
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
