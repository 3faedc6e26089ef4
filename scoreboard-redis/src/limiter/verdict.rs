//! What a node says of the cells that it was asked for.

use std::time::Duration;

use redis::{FromRedisValue, Value};

use super::place::Place;
use crate::error::Failure;

/// What one node says.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// The node's time, in milliseconds since 1970.
    pub(super) now: i64,
    /// Whether all of its cells have room, and, if they were to be taken, were.
    pub(super) admitted: bool,
    pub(super) cells: Vec<Told>,
}

/// What is told of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// Which cell of the call it is.
    pub(super) number: usize,
    /// The node's time, in milliseconds since 1970.
    pub(super) at: i64,
    pub(super) has_room: bool,
    pub(super) remaining: u32,
    /// How long until one more is admitted, or this one if it was not.
    pub(super) wait: Duration,
    pub(super) reset: Duration,
}

/// Of each cell: has it room, how long until it has, and two numbers of what is counted.
type State = (u8, i64, i64, i64);

impl Verdict {
    /// Reads what `limit_take.lua` returns for these places.
    pub(super) fn read(places: &[Place], answer: &Value) -> Result<Self, Failure> {
        const WRITTEN: Failure = Failure::Answer("the limiter's script was changed");
        let (now, admitted, states) = <(i64, u8, Vec<State>)>::from_redis_value_ref(answer).map_err(|_| WRITTEN)?;
        if states.len() != places.len() {
            return Err(WRITTEN);
        }
        let admitted = admitted == 1;
        let cells = places.iter().zip(states).map(|(place, state)| told(place, state, now, admitted)).collect();
        Ok(Self { now, admitted, cells })
    }
}

fn told(place: &Place, (room, wait, first, second): State, now: i64, admitted: bool) -> Told {
    let (remaining, wait, reset) = if place.is_log() {
        let (counting, latest) = (first, second);
        let remaining = i64::from(place.quota.limit.get()) - counting;
        (remaining, wait, if latest < 0 { 0 } else { latest + place.period - now })
    } else {
        bucket(place, first, second, now, if admitted { 1 } else { place.demand })
    };
    let remaining = u32::try_from(remaining).unwrap_or(0);
    let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    // Admitted, it is when one more is, which is now where any remain.
    let wait = if admitted && remaining > 0 { 0 } else { wait };
    Told { number: place.number, at: now, has_room: room == 1, remaining, wait: millis(wait), reset: millis(reset) }
}

/// How many remain, how long until so many more fit, and how long until it is full: in the `limit`-th parts of a millisecond, in which the share of
/// one cell is the whole number `period`.
fn bucket(place: &Place, full: i64, parts: i64, now: i64, count: u32) -> (i64, i64, i64) {
    let (limit, period) = (i128::from(place.quota.limit.get()), i128::from(place.period));
    let lacks = (i128::from(full - now) * limit + i128::from(parts)).max(0);
    let up = |parts: i128| i64::try_from((parts.max(0) + limit - 1).div_euclid(limit)).unwrap_or(i64::MAX);
    let remaining = (limit * period - lacks).max(0) / period;
    let surplus = period * (i128::from(count) - limit);
    (i64::try_from(remaining).unwrap_or(i64::MAX), up(lacks + surplus), up(lacks))
}
