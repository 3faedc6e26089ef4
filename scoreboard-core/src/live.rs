//! Live boards: one reader, one comparison and one encoding for all who watch the same part of the same board: its top, a user's
//! neighbourhood, or a list of users (`part.rs`).
//!
//! A change is announced (**message queue**: one slot for the newest position, for a board is a state and not a log); the task of the
//! window gathers, reads the board and compares it with what it published last (**batch processor**, `processor.rs`); what comes of
//! it lies in the window (`window.rs`, `state.rs`, `ring.rs`), from where every subscription takes the same frame (`subscription.rs`).
//! The **broadcast manager** (`hub.rs`) knows the windows, and the **error handler** is `backoff.rs`. What many windows of a board would
//! ask for, one asks for all: where it is (`whereabouts.rs`), names (`names.rs`), and whether anything was put right (`corrected.rs`). What concerns one
//! user is found by comparing views of a window around them (`private_subscription.rs`, `private_event.rs`). Connections and heartbeats
//! are their transport's.

mod backoff;
mod corrected;
mod event;
mod frame;
mod hub;
mod names;
mod part;
mod private_event;
mod private_subscription;
mod processor;
mod resting;
mod ring;
mod state;
mod subscription;
mod whereabouts;
mod window;

pub use event::{LiveEvent, Snapshot, Update};
pub use frame::LiveFrame;
pub(crate) use hub::Hub;
pub(crate) use part::Part;
pub use part::{LiveWindow, WindowExtent, WindowKind};
pub use private_event::{EnteredTop, Overtaken, Passer, PrivateEvent};
pub use private_subscription::PrivateSubscription;
pub(crate) use processor::Why;
pub use subscription::Subscription;
pub(crate) use window::Window;
