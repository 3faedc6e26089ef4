//! `verify`: every log, folded again.

use std::path::Path;
use std::process::ExitCode;

use scoreboard_core::{Audit, BoardId, Version};

use crate::failure::{Failure, Result};
use crate::progress::{Progress, print};
use crate::settings::Settings;
use crate::store::Stores;

/// The exit code if it cannot be told whether the log and the scores agree.
pub(crate) const CANNOT_TELL: u8 = 2;
const DIFFERS: u8 = 1;

/// Compares each board's log with its scores, or those of one board.
pub(crate) async fn run(settings: &Settings, only: Option<BoardId>, archive: Option<&Path>) -> Result<ExitCode> {
    let look = async {
        let stores = Stores::open_existing(settings).await?;
        let all_agree = async {
            let logs_agree = boards(&stores, only).await?;
            Ok::<_, Failure>(archive_agrees(&stores, archive).await? && logs_agree)
        };
        let all_agree = all_agree.await;
        stores.close().await;
        all_agree
    };
    let all_agree = look.await.map_err(|failure| failure.with_code(CANNOT_TELL))?;
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

async fn boards(stores: &Stores, only: Option<BoardId>) -> Result<bool> {
    let boards = match only {
        Some(board) => vec![board],
        None => stores.scores.boards().await?.into_iter().map(|board| board.spec.id).collect(),
    };
    if boards.is_empty() {
        print("no boards")?;
    }
    let mut all_agree = true;
    for board in boards {
        match audit(stores, &board).await? {
            Audit::Clean { position, scores } => {
                let from = match stores.scores.board(&board).await?.map(|board| board.log_after) {
                    Some(begin) if begin > Version::ZERO => format!("from version {begin} "),
                    _ => String::new(),
                };
                print(&format!("{board}: clean {from}up to version {} ({scores} scores)", position.version))?;
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

/// Where an archive is named: whether it is the one, and the scores stand on it.
async fn archive_agrees(stores: &Stores, archive: Option<&Path>) -> Result<bool> {
    let Some(folder) = archive else { return Ok(true) };
    let found = stores.postgres()?.check_archive(folder).await?;
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
