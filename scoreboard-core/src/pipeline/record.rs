//! The other way in: a trusted game server records a result directly.

use crate::action::Fingerprint;
use crate::encoding::{leading16, sha256, uuid_for};
use crate::error::{Rejection, Result};
use crate::ids::{ActionId, BoardId, KeyId, KindId, UserId};
use crate::pipeline::Scoreboard;
use crate::pipeline::apply::Applied;
use crate::score::Points;
use crate::store::{Change, Origin, Receipt};

/// A result that a trusted game server vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRequest {
    /// Where it counts.
    pub board: BoardId,
    /// Whose it is.
    pub user_id: UserId,
    /// What was done.
    pub kind: KindId,
    /// What it is worth; only for kinds with a range.
    pub points: Option<Points>,
}

impl Scoreboard {
    /// Counts a result that `server` vouches for, exactly once under its idempotency key.
    ///
    /// The same key and request again get the first receipt; the same key with another request is refused. The points are held
    /// to the board's catalogue, the kind's minimum duration and number a day are the game server's own affair.
    ///
    /// # Errors
    ///
    /// [`Rejection::IdempotencyMismatch`], [`Rejection::UnknownBoard`], [`Rejection::UnknownKind`],
    /// [`Rejection::PointsNotAllowed`], [`Rejection::ScoreOutOfRange`], or the store's failure: if its kind is
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), call again with the same key.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the result counts wholly or not at all; call again with the same key to find out.
    pub async fn record(&self, server: &KeyId, idempotency_key: &str, request: RecordRequest) -> Result<Receipt> {
        let now = self.parts.clock.now();
        let action_id = uuid_for("scoreboard/record/v1", &[server.as_str().as_bytes(), idempotency_key.as_bytes()]);
        let action_id = ActionId::from_uuid(action_id);
        let fingerprint = fingerprint(&request);
        let RecordRequest { board: board_id, user_id, kind, points } = request;

        let known = async {
            let board = self.catalogue(&board_id, now).await?;
            let kind = board.spec.kind(&kind).ok_or_else(|| Rejection::UnknownKind(kind.clone()))?;
            let points = kind.points.resolve(points).map_err(Rejection::PointsNotAllowed)?;
            Ok((board.season, points))
        };
        let (season, points) = match known.await {
            Ok(known) => known,
            // The catalogue may have changed since the first call, which is to be answered all the same.
            Err(rejection) => {
                return self.first_receipt(action_id, fingerprint).await?.ok_or(rejection);
            }
        };
        let origin = Origin::Record;
        let change = Change {
            action_id,
            fingerprint,
            board: board_id,
            season,
            user_id,
            kind,
            points,
            origin,
            at: now,
            at_most: None,
            admitted: None,
        };
        match self.apply(change).await? {
            Applied::Yes(receipt) => Ok(receipt),
            Applied::AboveCount | Applied::OverQuota(_) => unreachable!("a record sets no condition"),
        }
    }
}

/// Over what was asked, not over what the catalogue made of it.
fn fingerprint(request: &RecordRequest) -> Fingerprint {
    let RecordRequest { board, user_id, kind, points } = request;
    let points = points.map(|points| points.get().to_le_bytes());
    let pieces: [&[u8]; 4] = [
        board.as_str().as_bytes(),
        user_id.as_bytes(),
        kind.as_str().as_bytes(),
        points.as_ref().map_or(&[], |points| points.as_slice()),
    ];
    Fingerprint::from_bytes(leading16(&sha256("scoreboard/record-fingerprint/v1", &pieces)))
}
