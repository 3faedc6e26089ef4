//! Up to where logs were watched.

use crate::testing::fixture::IncidentStoreFixture;
use crate::testing::play::board_id;
use crate::version::{Epoch, Position, Version};

/// Up to where a log was watched never goes back, and is each board's own.
pub async fn what_was_watched_never_goes_back<F: IncidentStoreFixture>(f: &F) {
    let store = f.incident_store();
    let (main, other) = (board_id("main"), board_id("other"));
    assert_eq!(store.watched(&main).await.expect("watched answers"), None, "nothing was watched in a fresh store");
    let position = |epoch, version| Position { epoch: Epoch::new(epoch), version: Version::new(version) };
    let steps = [
        (position(1, 0), position(1, 0)),
        (position(1, 900), position(1, 900)),
        (position(1, 899), position(1, 900)),
        (position(2, 5), position(2, 5)),
        (position(1, 10_000), position(2, 5)),
        (position(2, 6), position(2, 6)),
    ];
    for (said, kept) in steps {
        store.set_watched(&main, said).await.expect("set_watched answers");
        assert_eq!(store.watched(&main).await.expect("watched answers"), Some(kept), "after {said:?}");
    }
    assert_eq!(store.watched(&other).await.expect("watched answers"), None, "the other board was not watched");
}
