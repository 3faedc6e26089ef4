//! What `admin` takes.

use clap::{Args, Subcommand};
use scoreboard_core::accounts::{Email, Role};
use scoreboard_core::{
    ActionId, BoardId, Direction, IncidentId, KeyId, KindId, ModerationId, Operator, TieBreak, Timestamp, UserId,
};

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

/// The words of the wire are those of the command line.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
