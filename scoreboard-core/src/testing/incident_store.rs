//! The suite of [`IncidentStore`](crate::IncidentStore): each function is one case, and its documentation the rule.
//!
//! Run by [`incident_store_conformance!`](crate::incident_store_conformance).

mod cases;
mod recording;
mod watching;

pub use cases::*;
pub use recording::*;
pub use watching::*;
