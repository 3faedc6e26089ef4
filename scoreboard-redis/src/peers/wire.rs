//! The bodies of words: changes, and what became of them. Of a format of its own, so that nothing that is altered in the core's JSON alters it.

use scoreboard_core::{Answer, BoardId, Change, Epoch, Timestamp, Version};
use serde::{Deserialize, Serialize};

use super::waiting::Told;

mod applied;
mod change;
mod outcome;

use applied::AppliedRow;
use change::ChangeRow;
use outcome::{AnswerRow, OutcomeRow};

/// The board of a claim. `None` for what is none.
pub(super) fn board(body: &[u8]) -> Option<BoardId> {
    BoardId::new(read::<&str>(body)?).ok()
}

/// The body of a request.
pub(super) fn request(changes: &[Change], after: Version) -> impl Serialize {
    (after.get(), changes.iter().map(ChangeRow::of).collect::<Vec<_>>())
}

/// The changes of a request, and up to where the other knows their board.
pub(super) fn changes(body: &[u8]) -> Option<(Vec<Change>, Version)> {
    let (mut boards, mut kinds) = (Names::default(), Names::default());
    let (after, rows): (u64, Vec<ChangeRow<'_>>) = read(body)?;
    let changes = rows.into_iter().map(|row| row.change(&mut boards, &mut kinds)).collect::<Option<_>>()?;
    Some((changes, Version::new(after)))
}

/// The body of an answer.
pub(super) fn answer(told: &Told) -> impl Serialize {
    match told {
        Ok(Answer { epoch, outcomes, others }) => AnswerRow::Applied(
            epoch.get(),
            outcomes.iter().map(OutcomeRow::of).collect(),
            others.iter().map(AppliedRow::of).collect(),
        ),
        Err(kind) => AnswerRow::Failed(*kind),
    }
}

/// What an answer tells.
pub(super) fn told(body: &[u8]) -> Option<Told> {
    let (mut boards, mut kinds) = (Names::default(), Names::default());
    Some(match read(body)? {
        AnswerRow::Applied(epoch, outcomes, others) => Ok(Answer {
            epoch: Epoch::new(epoch),
            outcomes: outcomes.into_iter().map(|row| row.outcome(&mut boards)).collect::<Option<_>>()?,
            others: others.into_iter().map(|row| row.change(&mut kinds)).collect::<Option<_>>()?,
        }),
        AnswerRow::Failed(kind) => Err(kind),
    })
}

/// All of the bytes, or nothing.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    postcard::take_from_bytes(body).ok().filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// A moment that is within the years that there are.
fn time(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis)).filter(|time| time.as_millis() == millis)
}

/// Names that came lately. The rows of a batch have few: each is checked and kept once, and shared.
struct Names<T>(Vec<T>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Names<T> {
    const MAX: usize = 16;

    fn get(&mut self, text: &str, as_str: fn(&T) -> &str, new: fn(&str) -> Option<T>) -> Option<T> {
        if let Some(known) = self.0.iter().find(|name| as_str(name) == text) {
            return Some(known.clone());
        }
        let name = new(text)?;
        if self.0.len() >= Self::MAX {
            self.0.clear();
        }
        self.0.push(name.clone());
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use scoreboard_core::{
        ActionId, Admitted, AppliedChange, AtMost, Becomes, ErrorKind, Fingerprint, Origin, Outcome, Points, Position,
        Reached, Receipt, Refusal, Score, Season, UserId, Version,
    };

    use super::*;

    fn change(board: &str, kind: &str) -> Change {
        Change {
            action_id: ActionId::from_bytes([1; 16]),
            fingerprint: Fingerprint::from_bytes([2; 16]),
            board: board.parse().unwrap(),
            season: Season::new(3),
            user_id: UserId::from_bytes([4; 16]),
            kind: kind.parse().unwrap(),
            points: Points::new(-5).unwrap(),
            origin: Origin::Record,
            at: Timestamp::from_millis(6),
            at_most: Some(AtMost { count: 7, since: Timestamp::from_millis(8) }),
            admitted: Admitted::under("10/s".parse().unwrap(), Timestamp::from_millis(9)),
        }
    }

    fn applied(becomes: Becomes) -> AppliedChange {
        AppliedChange {
            position: Position { epoch: Epoch::new(1), version: Version::new(300) },
            action_id: ActionId::from_bytes([5; 16]),
            season: Season::new(3),
            user_id: UserId::from_bytes([6; 16]),
            kind: "win".parse().unwrap(),
            points: Points::new(5).unwrap(),
            origin: Origin::Record,
            at: Timestamp::from_millis(9),
            had_score: true,
            becomes,
        }
    }

    fn bytes(body: &impl Serialize) -> Vec<u8> {
        postcard::to_extend(body, Vec::new()).unwrap()
    }

    /// What other releases would have to read: a change of this costs another format.
    #[test]
    fn a_request_is_written_as_it_always_was() {
        let expected = [
            &[0xac, 2, 1][..],
            &[1; 16],
            &[2; 16],
            b"\x04main",
            &[3],
            &[4; 16],
            b"\x03win",
            &[9, 1, 12], // −5 and 6 in zigzag, and `record` between them
            &[1, 7, 16],
            &[1, 10, 0x80, 0x94, 0xeb, 0xdc, 3, 18], // a second in nanoseconds
        ];
        assert_eq!(bytes(&request(&[change("main", "win")], Version::new(300))), expected.concat());
    }

    #[test]
    fn an_answer_is_written_as_it_always_was() {
        let receipt = Receipt {
            action_id: ActionId::from_bytes([1; 16]),
            board: BoardId::main(),
            season: Season::new(3),
            user_id: UserId::from_bytes([4; 16]),
            points: Points::new(5).unwrap(),
            previous_score: Some(Score::new(6).unwrap()),
            score: Score::new(11).unwrap(),
            rank: None,
            epoch: Epoch::new(1),
            version: Version::new(300),
            applied_at: Timestamp::from_millis(9),
            replayed: false,
            is_shown: true,
        };
        let row = [&[1; 16][..], b"\x04main", &[3], &[4; 16], &[10, 1, 12, 22, 0, 1, 0xac, 2, 18, 0, 1]].concat();
        let outcomes = vec![Outcome::Applied(receipt.clone()), Outcome::Replayed(receipt)];
        let reached =
            Reached { score: Score::new(11).unwrap(), version: Version::new(300), at: Timestamp::from_millis(9) };
        let others = [Becomes::Same, Becomes::At(reached), Becomes::Gone].map(applied).to_vec();
        let other = [&[1, 0xac, 2][..], &[5; 16], &[3], &[6; 16], b"\x03win", &[10, 1, 18, 1]].concat();
        let expected = [
            &[0, 7, 2, 0],
            row.as_slice(),
            &[1],
            &row,
            &[3],
            &other,
            &[0],
            &other,
            &[1, 22, 0xac, 2, 18],
            &other,
            &[2],
        ];
        let answered = Answer { epoch: Epoch::new(7), outcomes, others };
        let body = bytes(&answer(&Ok(answered.clone())));
        assert_eq!(body, expected.concat());
        assert_eq!(told(&body), Some(Ok(answered)));
        for (number, refusal) in [
            Refusal::UnknownBoard,
            Refusal::SeasonOver,
            Refusal::ScoreOutOfRange,
            Refusal::FingerprintMismatch,
            Refusal::AboveCount,
            Refusal::Banned,
            Refusal::Correction,
            Refusal::Archived,
            Refusal::OverQuota(Duration::from_nanos(1)),
        ]
        .into_iter()
        .enumerate()
        {
            let wait: &[u8] = if let Refusal::OverQuota(_) = refusal { &[0, 1] } else { &[] };
            let body = bytes(&answer(&Ok(Answer { outcomes: vec![Outcome::Refused(refusal)], ..Answer::default() })));
            assert_eq!(body, [&[0, 0, 1, 2, number as u8], wait, &[0]].concat());
            let outcomes = told(&body).expect("it is read again").expect("it is an answer").outcomes;
            assert_eq!(outcomes, [Outcome::Refused(refusal)]);
        }
        for (number, kind) in [
            ErrorKind::Unavailable,
            ErrorKind::Overloaded,
            ErrorKind::Contended,
            ErrorKind::OutcomeUnknown,
            ErrorKind::Full,
            ErrorKind::Corrupt,
            ErrorKind::Refused,
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(bytes(&answer(&Err(kind))), [1, number as u8]);
        }
    }

    /// Nothing of it panics either, whatever stands there.
    #[test]
    fn what_is_cut_or_goes_on_is_nothing() {
        let body = bytes(&request(&[change("main", "win"), change("other", "loss")], Version::ZERO));
        assert!(changes(&body).is_some());
        for at in 0..body.len() {
            assert_eq!(changes(&body[..at]), None, "cut at {at}");
        }
        assert_eq!(changes(&[body.as_slice(), &[0]].concat()), None);
        for at in 0..body.len() {
            for byte in 0..=255 {
                let mut other = body.clone();
                other[at] = byte;
                let _ = (changes(&other), told(&other), board(&other));
            }
        }
    }

    #[test]
    fn a_value_that_breaks_a_rule_is_nothing() {
        type Alter = fn(&mut ChangeRow<'_>);
        let good = change("main", "win");
        let of = |alter: Alter| {
            let mut row = ChangeRow::of(&good);
            alter(&mut row);
            changes(&bytes(&(0u64, vec![row]))).map(|(changes, _)| changes)
        };
        assert_eq!(of(|_| ()), Some(vec![good.clone()]));
        let altered: [(&str, Alter); 10] = [
            ("board", |row| row.board = "No Slug"),
            ("kind", |row| row.kind = ""),
            ("points", |row| row.points = scoreboard_core::MAX_SCORE + 1),
            ("points", |row| row.points = i64::MIN),
            ("time", |row| row.at = -1),
            ("time", |row| row.at = i64::MAX),
            ("since", |row| row.at_most = Some((1, -1))),
            ("admitted at", |row| row.admitted = row.admitted.map(|(limit, period, _)| (limit, period, -1))),
            ("limit", |row| row.admitted = Some((NonZeroU32::MAX, 1, 0))),
            ("period", |row| row.admitted = Some((NonZeroU32::MIN, u64::MAX, 0))),
        ];
        for (what, alter) in altered {
            assert_eq!(of(alter), None, "{what}");
        }
        assert_eq!(board(&bytes(&"No Slug")), None);
        assert_eq!(board(&bytes(&"main")), Some(BoardId::main()));
        for number in 9..=255 {
            assert_eq!(told(&[0, 0, 1, 2, number, 0]), None, "a refusal {number}");
            assert_eq!(told(&[1, number]), None, "an error {number}");
        }
    }

    #[test]
    fn rows_share_their_names_however_many_there_are() {
        let names: Vec<String> = (0..100).map(|n| format!("name-{n}")).collect();
        let all: Vec<Change> = names.iter().chain(&names).map(|name| change(name, &names[0])).collect();
        let (read, _) = changes(&bytes(&request(&all, Version::ZERO))).unwrap();
        assert_eq!(read, all);
        assert!(read.iter().all(|change| std::ptr::eq(change.kind.as_str(), read[0].kind.as_str())), "one for all");
    }
}
