//! Defects of `apply` and of the boards.

use super::{Result, alterations};
use crate::board::{BoardSpec, Season};
use crate::ids::ActionId;
use crate::limiter::Quota;
use crate::ranking::RankStyle;
use crate::score::{Points, Score};
use crate::store::{Admitted, Change, ChangeBoard, CreateBoard, Outcome, Receipt, Refusal, ScoreStore};
use crate::version::{Epoch, Version};

/// The same change as if it were another one.
fn as_new(change: &Change) -> Change {
    let mut id = *change.action_id.as_bytes();
    id[0] ^= 0x55;
    Change { action_id: ActionId::from_bytes(id), ..change.clone() }
}

/// The receipts of a batch's outcomes.
fn receipts(outcomes: &mut [Outcome]) -> impl Iterator<Item = &mut Receipt> {
    outcomes.iter_mut().filter_map(|outcome| match outcome {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => Some(receipt),
        Outcome::Refused(_) => None,
    })
}

alterations! {
    /// A repeat is answered as one, and counts again all the same.
    DoubleApply {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let outcomes = store.apply(changes).await?;
            for (change, outcome) in changes.iter().zip(&outcomes) {
                if let Outcome::Replayed(_) = outcome {
                    store.apply(&[as_new(change)]).await?;
                }
            }
            Ok(outcomes)
        }
    }

    /// No id is looked at: whatever comes counts.
    DedupeOff {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = Vec::new();
            for change in changes {
                let mut unused = change.clone();
                outcomes.push(loop {
                    match store.apply(std::slice::from_ref(&unused)).await?.remove(0) {
                        Outcome::Replayed(_) | Outcome::Refused(Refusal::FingerprintMismatch) => {
                            let mut id = *unused.action_id.as_bytes();
                            id[1] = id[1].wrapping_add(1);
                            unused.action_id = ActionId::from_bytes(id);
                        }
                        outcome => break outcome,
                    }
                });
            }
            Ok(outcomes)
        }
    }

    /// Whether a commit was made is not known, so it is tried again: under a new id.
    RetryWithNewId {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            // It was made, and the answer lost.
            store.apply(changes).await?;
            let mut outcomes = store.apply(&changes.iter().map(as_new).collect::<Vec<_>>()).await?;
            for (change, outcome) in changes.iter().zip(&mut outcomes) {
                receipts(std::slice::from_mut(outcome)).for_each(|receipt| receipt.action_id = change.action_id);
            }
            Ok(outcomes)
        }
    }

    /// The score is read, and written later as if nobody else had written meanwhile.
    LostUpdate {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let score = async |change: &Change| -> Result<i64> {
                let found = store.standings(&change.board, None, RankStyle::Ordinal, &[change.user_id]).await?;
                Ok(found.and_then(|found| found.entries[0]).map_or(0, |entry| entry.score.get()))
            };
            let mut outcomes = Vec::new();
            for change in changes {
                let read = score(change).await?;
                tokio::task::yield_now().await;
                let overwritten = score(change).await? - read;
                let points = Points::new(change.points.get() - overwritten).unwrap_or(change.points);
                outcomes.extend(store.apply(&[Change { points, ..change.clone() }]).await?);
            }
            Ok(outcomes)
        }
    }

    /// A number is left out: the versions are 1, 2, 4, 5 …
    VersionGap {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            for receipt in receipts(&mut outcomes).filter(|receipt| receipt.version.get() > 2) {
                receipt.version = receipt.version.next();
            }
            Ok(outcomes)
        }
    }

    /// A refused change takes a version.
    RefusedTakesVersion {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = Vec::new();
            for change in changes {
                let outcome = store.apply(std::slice::from_ref(change)).await?;
                if let [Outcome::Refused(_)] = outcome[..] {
                    let nothing = Change { points: Points::ZERO, at_most: None, ..as_new(change) };
                    store.apply(&[nothing]).await?;
                }
                outcomes.extend(outcome);
            }
            Ok(outcomes)
        }
    }

    /// One refused change fails the batch.
    RefusedSpoilsBatch {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = Vec::new();
            let mut spoilt = None;
            for change in changes {
                outcomes.push(match spoilt {
                    Some(refusal) => Outcome::Refused(refusal),
                    None => store.apply(std::slice::from_ref(change)).await?.remove(0),
                });
                if let Some(Outcome::Refused(refusal)) = outcomes.last() {
                    spoilt = Some(*refusal);
                }
            }
            Ok(outcomes)
        }
    }

    /// Another request with a used id is taken for a repeat.
    FingerprintIgnored {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            for (change, outcome) in changes.iter().zip(&mut outcomes) {
                if *outcome == Outcome::Refused(Refusal::FingerprintMismatch)
                    && let Some((board, row)) = store.action(change.action_id).await?
                {
                    *outcome = Outcome::Replayed(row.receipt(&board, true));
                }
            }
            Ok(outcomes)
        }
    }

    /// A repeat is told the score as it is now.
    ReceiptOfNow {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            for receipt in receipts(&mut outcomes).filter(|receipt| receipt.replayed) {
                let found = store.standings(&receipt.board, None, RankStyle::Ordinal, &[receipt.user_id]).await?;
                if let Some(entry) = found.and_then(|found| found.entries[0]) {
                    receipt.score = entry.score;
                }
            }
            Ok(outcomes)
        }
    }

    /// An id counts once on each board.
    OncePerBoard {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let own_ids: Vec<_> = changes
                .iter()
                .map(|change| if change.board.as_str() == "main" { change.clone() } else { as_new(change) })
                .collect();
            store.apply(&own_ids).await
        }
    }

    /// The condition on the count is not looked at.
    AtMostIgnored {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let free: Vec<_> = changes.iter().map(|change| Change { at_most: None, ..change.clone() }).collect();
            store.apply(&free).await
        }
    }

    /// The condition on the count does not see what comes before it in the batch.
    AtMostBlindInBatch {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut free = changes.to_vec();
            free.iter_mut().skip(1).for_each(|change| change.at_most = None);
            store.apply(&free).await
        }
    }

    /// The moment itself is left out of the count.
    AtMostAfterMoment {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut later = changes.to_vec();
            for at_most in later.iter_mut().filter_map(|change| change.at_most.as_mut()) {
                at_most.since = at_most.since.plus(std::time::Duration::from_millis(1));
            }
            store.apply(&later).await
        }
    }

    /// When a change was admitted is not looked at.
    QuotaIgnored {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let free: Vec<_> = changes.iter().map(|change| Change { admitted: None, ..change.clone() }).collect();
            store.apply(&free).await
        }
    }

    /// The quota does not see what comes before it in the batch.
    QuotaBlindInBatch {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut free = changes.to_vec();
            free.iter_mut().skip(1).for_each(|change| change.admitted = None);
            store.apply(&free).await
        }
    }

    /// The quota is counted when a change comes, and not when it was admitted.
    QuotaByArrival {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut late = changes.to_vec();
            for change in &mut late {
                let arrived = |admitted: Admitted| Admitted::under(admitted.quota(), change.at);
                change.admitted = change.admitted.and_then(arrived);
            }
            store.apply(&late).await
        }
    }

    /// A window is open at its start, or closed at its end.
    QuotaOverItsEnd {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut longer = changes.to_vec();
            for change in &mut longer {
                let longer = |admitted: Admitted| {
                    let quota = admitted.quota();
                    let period = quota.period + std::time::Duration::from_millis(1);
                    Admitted::under(Quota { period, ..quota }, admitted.at())
                };
                change.admitted = change.admitted.and_then(longer);
            }
            store.apply(&longer).await
        }
    }

    /// What is refused for its season uses the quota up: it is counted in another.
    QuotaUsedByRefused {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let outcomes = store.apply(changes).await?;
            for (change, outcome) in changes.iter().zip(&outcomes) {
                if *outcome == Outcome::Refused(Refusal::SeasonOver) {
                    let counted = Change { season: Season::FIRST, points: Points::ZERO, ..as_new(change) };
                    store.apply(&[counted]).await?;
                }
            }
            Ok(outcomes)
        }
    }

    /// A change for another season counts in this one.
    SeasonIgnored {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let now: Vec<_> = changes.iter().map(|change| Change { season: Season::FIRST, ..change.clone() }).collect();
            store.apply(&now).await
        }
    }

    /// A score that would leave the range stays where it is, and that counts.
    RangeClamped {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            for (change, outcome) in changes.iter().zip(&mut outcomes) {
                if *outcome == Outcome::Refused(Refusal::ScoreOutOfRange) {
                    *outcome = store.apply(&[Change { points: Points::ZERO, ..change.clone() }]).await?.remove(0);
                }
            }
            Ok(outcomes)
        }
    }

    /// Outcomes come sorted by board.
    OutcomesOutOfOrder {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            outcomes.sort_by_key(|outcome| outcome.receipt().map(|receipt| receipt.board.clone()));
            Ok(outcomes)
        }
    }

    /// A batch is applied piece by piece.
    BatchInPieces {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = Vec::new();
            for change in changes {
                outcomes.extend(store.apply(std::slice::from_ref(change)).await?);
                tokio::task::yield_now().await;
            }
            Ok(outcomes)
        }
    }

    /// The score before is left out of the receipt.
    PreviousScoreForgotten {
        async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
            let mut outcomes = store.apply(changes).await?;
            receipts(&mut outcomes).for_each(|receipt| receipt.previous_score = None::<Score>);
            Ok(outcomes)
        }
    }

    /// The order of a board with a log is said to be changed.
    OrderNotFixed {
        async fn change_board(&self, store: &dyn ScoreStore, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
            Ok(match store.change_board(from, to).await? {
                ChangeBoard::OrderIsFixed => ChangeBoard::Changed,
                other @ (ChangeBoard::Changed | ChangeBoard::Unknown | ChangeBoard::ChangedMeanwhile) => other,
            })
        }
    }

    /// A spec is replaced, whatever it was.
    SpecOverwritten {
        async fn change_board(&self, store: &dyn ScoreStore, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
            match store.change_board(from, to).await? {
                ChangeBoard::ChangedMeanwhile => match store.board(&to.id).await? {
                    Some(there) => store.change_board(&there.spec, to).await,
                    None => Ok(ChangeBoard::Unknown),
                },
                other @ (ChangeBoard::Changed | ChangeBoard::Unknown | ChangeBoard::OrderIsFixed) => Ok(other),
            }
        }
    }

    /// Changing a catalogue takes a version.
    SpecTakesVersion {
        async fn change_board(&self, store: &dyn ScoreStore, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
            let changed = store.change_board(from, to).await?;
            if let Some(row) = store.log(&to.id, Version::ZERO, 1).await?.first() {
                let nothing = Change {
                    action_id: ActionId::from_bytes([0xaa; 16]),
                    fingerprint: row.fingerprint,
                    board: to.id.clone(),
                    season: row.season,
                    user_id: row.user_id,
                    kind: row.kind.clone(),
                    points: row.points,
                    origin: row.origin,
                    at: row.at,
                    at_most: None,
                    admitted: None,
                };
                store.apply(&[nothing]).await?;
            }
            Ok(changed)
        }
    }

    /// A second board of one name replaces the spec of the first.
    CreateReplaces {
        async fn create_board(&self, store: &dyn ScoreStore, spec: &BoardSpec) -> Result<CreateBoard> {
            let created = store.create_board(spec).await?;
            if created == CreateBoard::AlreadyExists
                && let Some(there) = store.board(&spec.id).await?
            {
                let renamed = BoardSpec { name: "replaced".to_owned(), ..there.spec.clone() };
                let _ = store.change_board(&there.spec, &renamed).await?;
            }
            Ok(created)
        }
    }

    /// A new epoch is answered and not kept.
    EpochForgotten {
        async fn raise_epoch(&self, store: &dyn ScoreStore, above: Epoch) -> Result<Epoch> {
            Ok(store.raise_epoch(Epoch::new(0)).await?.max(above.next()))
        }
    }

    /// Each call begins a new epoch.
    EpochAlwaysRises {
        async fn raise_epoch(&self, store: &dyn ScoreStore, above: Epoch) -> Result<Epoch> {
            let now = store.raise_epoch(Epoch::new(0)).await?;
            store.raise_epoch(above.max(now)).await
        }
    }
}
