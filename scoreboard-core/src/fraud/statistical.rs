//! Rules that compare what a user does with what people do, off the update's path.
//!
//! A [`Rule`] looks at a user's recent [`History`], which is a fold of rows of the log, and is pure. What it finds is an [`Evidence`]: the
//! rule with its version and parameters, what was measured, the threshold, the window, and the actions in it. Whoever has the rows
//! [recomputes](Evidence::recompute) it; what was seen of addresses and devices is in no row, but in the evidence. A statistic proves nothing by itself, so no rule of these does more than to hold points back until
//! a person decides.
//!
//! Each rule has a [`Stance`]: a new or changed one is best run in [`Shadow`](Stance::Shadow) first, where it is counted and nothing else.
//!
//! | rule | speaks if |
//! | --- | --- |
//! | [`IntervalVariation`] | the times between actions vary less than a person's do |
//! | [`WindowVariation`] | so do those within short windows, though the pace changes from one to the next |
//! | [`Velocity`] | more actions are done in an hour than a person does |
//! | [`ActiveHours`] | hardly an hour of a day is without an action |
//! | [`PointsShift`] | results are suddenly far from all that the user had before |
//! | [`SharedSource`] | more accounts play from one address than a household or a school would have |
//! | [`SharedDevice`] | more accounts play on one device than a family would have |
//!
//! ```
//! use scoreboard_core::statistical::{IntervalVariation, Rules, Stance};
//!
//! let rules = Rules::none()
//!     .with(IntervalVariation::default(), Stance::Hold)
//!     .with(IntervalVariation { least_median_ms: 500, ..IntervalVariation::default() }, Stance::Shadow);
//! assert_eq!(rules.stances().collect::<Vec<_>>(), [("interval_variation", Stance::Hold), ("interval_variation", Stance::Shadow)]);
//! ```

mod active_hours;
mod evidence;
mod history;
mod interval_variation;
mod intervals;
mod points_shift;
mod rule;
mod rules;
mod shared_device;
mod shared_source;
mod velocity;
mod window_variation;

pub use active_hours::ActiveHours;
pub use evidence::{Evidence, Grounds, NotRecomputed, Window};
pub use history::{Act, History};
pub use interval_variation::{IntervalVariation, Steadiness};
pub use points_shift::PointsShift;
pub use rule::{Neighbours, Rule, Seen};
pub(crate) use rules::look;
pub use rules::{Rules, Stance};
pub use shared_device::SharedDevice;
pub use shared_source::SharedSource;
pub use velocity::Velocity;
pub use window_variation::WindowVariation;
