//! One part of a board within the client's task: what is held of it, and when to ask for it.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::{BoardId, LiveEvent, RandomIds, Snapshot};
use tokio::time::Instant;

use crate::backoff::full_jitter;
use crate::config::ClientConfig;
use crate::fold::{Fold, Folded};
use crate::message::{ClientMessage, Refused};
use crate::shared::{Shown, Wish};
use crate::state::{Offline, Refusal, State};

#[derive(Debug)]
pub(crate) struct Follower {
    wish: Wish,
    fold: Fold,
    /// When to ask for the board, if it is to be asked for.
    ask_at: Option<Instant>,
    /// What is held is of no use: it is to be sent whole.
    whole: bool,
    /// Until the snapshot that was asked for is here, what comes belongs to the subscription before.
    awaits_snapshot: bool,
    /// How often in a row it did not join on, and when the last time.
    gaps: u32,
    broken_at: Option<Instant>,
    /// How often the server could not tell what was missed.
    unrecovered: u64,
}

impl Follower {
    pub(crate) fn new(wish: Wish) -> Self {
        let fold = Fold::new(wish.window.clone());
        let (ask_at, broken_at) = (None, None);
        Self { wish, fold, ask_at, whole: false, awaits_snapshot: true, gaps: 0, broken_at, unrecovered: 0 }
    }

    /// Whether it is of this subscription.
    pub(crate) const fn is_of(&self, wish: &Wish) -> bool {
        self.wish.number == wish.number
    }

    pub(crate) const fn number(&self) -> u64 {
        self.wish.number
    }

    pub(crate) fn is_live(&self) -> bool {
        self.wish.shown.borrow().state == State::Live
    }

    /// There is a connection: it is asked for, from what is held on.
    pub(crate) fn connected(&mut self) {
        self.ask_at = Some(Instant::now());
        self.whole = false;
        self.show(State::CatchingUp);
    }

    /// There is none.
    pub(crate) fn offline(&mut self, offline: &Offline) {
        self.ask_at = None;
        self.show(State::Offline(offline.clone()));
    }

    /// When it is to be asked for.
    pub(crate) const fn ask_at(&self) -> Option<Instant> {
        self.ask_at
    }

    /// The question, if it is due.
    pub(crate) fn ask<'a>(&'a mut self, board: &'a BoardId) -> Option<ClientMessage<'a>> {
        self.ask_at.take_if(|at| *at <= Instant::now())?;
        let since = if self.whole { None } else { self.fold.position() };
        self.awaits_snapshot = since.is_none();
        Some(ClientMessage::Subscribe { board, part: (&self.wish.window).into(), since })
    }

    /// Takes what the server says of the board.
    pub(crate) fn receive(&mut self, event: LiveEvent, config: &ClientConfig) {
        if self.awaits_snapshot && matches!(event, LiveEvent::Update(_)) {
            return;
        }
        let is_unrecovered = matches!(event, LiveEvent::Snapshot(Snapshot { recovered: Some(false), .. }));
        match self.fold.take(event) {
            Folded::Broken => self.ask_again(config, false),
            Folded::Moved | Folded::Held => {
                self.awaits_snapshot = false;
                self.ask_at = None;
                self.unrecovered += u64::from(is_unrecovered);
                self.show(State::Live);
            }
        }
    }

    /// The server did not take the question: whether nothing follows.
    pub(crate) fn refused(&mut self, refused: Refused, config: &ClientConfig) -> bool {
        let passes = refused.passes();
        if passes {
            self.ask_again(config, true);
        } else {
            let Refused { code, detail, .. } = refused;
            self.end(Refusal::Board { code, detail });
        }
        !passes
    }

    /// Nothing follows.
    pub(crate) fn end(&self, refusal: Refusal) {
        self.wish.shown.send_modify(|shown| {
            shown.state = State::Refused(refusal);
            shown.ended = true;
        });
    }

    /// At once the first time; ever later where it goes on, for a client that asks too often is closed.
    fn ask_again(&mut self, config: &ClientConfig, later: bool) {
        let now = Instant::now();
        let settled = config.settled + config.longest_wait;
        if self.broken_at.replace(now).is_none_or(|broken| now - broken > settled) {
            self.gaps = u32::from(later);
        }
        let wait = match self.gaps {
            0 => Duration::ZERO,
            gaps => config.first_wait + full_jitter(&RandomIds, config, gaps, Duration::ZERO),
        };
        self.gaps = self.gaps.saturating_add(1);
        (self.ask_at, self.whole, self.awaits_snapshot) = (Some(now + wait), true, true);
        self.show(State::CatchingUp);
    }

    /// Publishes what has changed, view and state together.
    fn show(&self, state: State) {
        self.wish.shown.send_if_modified(|shown: &mut Shown| {
            let view = self.fold.view();
            let moved = view.map(Arc::as_ptr) != shown.view.as_ref().map(Arc::as_ptr);
            let changed = moved || shown.state != state;
            if changed {
                shown.view = view.cloned();
                shown.state = state;
                shown.unrecovered = self.unrecovered;
            }
            changed
        });
    }
}

#[cfg(test)]
#[path = "follower_test.rs"]
mod tests;
