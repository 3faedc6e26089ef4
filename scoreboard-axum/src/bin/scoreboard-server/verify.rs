//! `verify`: every log, folded again, and its hash chain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use scoreboard_core::{Audit, BoardId, Head, KeptHead, Version, compare_head};

use crate::failure::{Failure, Result};
use crate::progress::{Progress, print};
use crate::settings::Settings;
use crate::store::Stores;

use signer::Signer;

mod heads;
mod signer;

/// The exit code if it cannot be told whether the log and the scores agree.
pub(crate) const CANNOT_TELL: u8 = 2;
const DIFFERS: u8 = 1;

/// What is to be verified.
pub(crate) struct Asked {
    /// This board, or all.
    pub(crate) board: Option<BoardId>,
    /// Where the archive is.
    pub(crate) archive: Option<PathBuf>,
    /// Whether heads are signed.
    pub(crate) sign: bool,
    /// Where heads were kept.
    pub(crate) head: Option<PathBuf>,
    /// Who must have signed these.
    pub(crate) public_key: Option<String>,
}

/// Compares each board's log with its scores, its digests, and the heads that were kept, or those of one board.
pub(crate) async fn run(settings: &Settings, asked: Asked) -> Result<ExitCode> {
    let Asked { board, archive, sign, head, public_key } = asked;
    let look = async {
        let mut kept = match &head {
            Some(file) => heads::read(file, public_key.as_deref())?,
            None => Vec::new(),
        };
        kept.retain(|(of, _)| board.as_ref().is_none_or(|only| only == of));
        let archive = archive.as_deref();
        let stores = Stores::open_existing(settings).await?;
        let all_agree = async {
            let signer = if sign { Some(Signer::open(settings, stores.now().await?)?) } else { None };
            let logs_agree = boards(&stores, board.as_ref(), signer.as_ref()).await?;
            let heads_agree = heads_agree(&stores, &kept, archive.is_some()).await?;
            Ok::<_, Failure>(archive_agrees(&stores, archive, &kept).await? && logs_agree && heads_agree)
        };
        let all_agree = all_agree.await;
        stores.close().await;
        all_agree
    };
    let all_agree = look.await.map_err(|failure: Failure| failure.with_code(CANNOT_TELL))?;
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

async fn boards(stores: &Stores, only: Option<&BoardId>, signer: Option<&Signer>) -> Result<bool> {
    let boards = match only {
        Some(board) => vec![board.clone()],
        None => stores.scores.boards().await?.into_iter().map(|board| board.spec.id).collect(),
    };
    if boards.is_empty() {
        print("no boards")?;
    }
    let mut all_agree = true;
    for board in boards {
        match audit(stores, &board).await? {
            Audit::Clean { position, scores, head, digests_from } => {
                let begin = stores.scores.board(&board).await?.map_or(Version::ZERO, |board| board.log_after);
                let from = if begin > Version::ZERO { format!("from version {begin} ") } else { String::new() };
                let digests = match (head, digests_from) {
                    (Some(_), Some(first)) if first > begin.next() => format!(", digests from version {first} on"),
                    (Some(Head { version, .. }), None) => format!(", no digests behind version {version}"),
                    _ => String::new(),
                };
                print(&format!("{board}: clean {from}up to version {} ({scores} scores){digests}", position.version))?;
                if let Some(head) = head {
                    print(&heads::line(&board, head, signer))?;
                }
            }
            Audit::Differs(difference) => {
                all_agree = false;
                print(&format!("{board}: differs {difference}"))?;
            }
            Audit::UnknownBoard => return Err(Failure::new(format_args!("there is no board `{board}`"))),
        }
    }
    Ok(all_agree)
}

/// Whether each log is still the one that each head was kept of.
async fn heads_agree(stores: &Stores, kept: &[(BoardId, Head)], has_archive: bool) -> Result<bool> {
    let mut all_agree = true;
    for (board, head) in kept {
        let version = head.version;
        match compare_head(&*stores.scores, board, *head).await? {
            KeptHead::Same => print(&format!("{board}: the same up to version {version} as when its head was kept"))?,
            KeptHead::Differs(difference) => {
                all_agree = false;
                print(&format!("{board}: differs from the head that was kept {difference}"))?;
            }
            KeptHead::UnknownBoard => {
                all_agree = false;
                print(&format!("{board}: a head was kept of it, and it is gone"))?;
            }
            // The archive tells.
            KeptHead::Archived if has_archive => {}
            KeptHead::Archived => {
                return Err(Failure::new(format_args!(
                    "the change of version {version} of `{board}` is archived: name the folder by --archive to compare the head of it"
                )));
            }
        }
    }
    Ok(all_agree)
}

/// Where an archive is named: whether it is the one, and the scores stand on it.
async fn archive_agrees(stores: &Stores, archive: Option<&Path>, kept: &[(BoardId, Head)]) -> Result<bool> {
    let Some(folder) = archive else { return Ok(true) };
    let found = stores.postgres()?.check_archive(folder, kept).await?;
    match &found {
        None => print("the archive is clean")?,
        Some(difference) => print(&format!("the archive differs: {difference}"))?,
    }
    Ok(found.is_none())
}

/// Folds one board's log, showing how far it is.
pub(crate) async fn audit(stores: &Stores, board: &BoardId) -> Result<Audit> {
    let mut progress = Progress::new(format!("verifying {board}"), 0, "changes");
    let told = |seen: scoreboard_core::Version, target: scoreboard_core::Version| progress.at(seen.get(), target.get());
    Ok(scoreboard_core::verify(&*stores.scores, board, told).await?)
}
