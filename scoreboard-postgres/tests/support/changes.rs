//! Changes with ids as the server gives them: a time in front.

use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Change, CreateBoard, Fingerprint, Origin, Points, ScoreStore, Season, Timestamp,
    UserId,
};
use scoreboard_postgres::PostgresStore;

/// A change that no other number makes, started and done at this moment.
pub(crate) fn change(number: u64, at: Timestamp) -> Change {
    let millis = at.as_millis().cast_unsigned();
    let id = u128::from(millis) << 80 | 0x7 << 76 | 0b10 << 62 | u128::from(number);
    Change {
        action_id: ActionId::from_bytes(id.to_be_bytes()),
        fingerprint: Fingerprint::from_bytes([1; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::for_name("test", &number.to_string()),
        kind: "win".parse().expect("a kind"),
        points: Points::new(1).expect("points"),
        origin: Origin::Action,
        at,
        at_most: None,
        admitted: None,
    }
}

/// The board that they are for.
pub(crate) async fn main_board(store: &PostgresStore) {
    let created = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("a working store");
    assert_eq!(created, CreateBoard::Created);
}
