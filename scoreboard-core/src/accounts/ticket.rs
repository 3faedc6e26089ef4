//! Tickets: how a live connection learns who is there. A browser cannot send an access token when it opens a WebSocket, and one
//! in the URL would end up in logs; a ticket is good for nothing else, once, and not for long.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;

use crate::accounts::{AccountError, Accounts, Principal, TokenHash};
use crate::clock::Timestamp;
use crate::id_source::IdSourceExt;
use crate::ids::UserId;

/// How long a ticket is good.
const LIFETIME: Duration = Duration::from_secs(30);
/// How many of one user may wait to be used. A further one takes the place of the oldest: so no user fills the room of all.
const MAX_OF_USER: usize = 16;

/// What lets a live connection know who is there, once.
#[derive(Clone)]
pub struct Ticket {
    /// What to show: 256 random bits.
    pub text: String,
    /// How long it is good.
    pub expires_in: Duration,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Tickets that wait to be used, each by its hash.
#[derive(Debug)]
pub(super) struct Tickets {
    max: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_hash: HashMap<TokenHash, Kept>,
    /// In the order in which they were issued, which is that in which they expire.
    by_number: BTreeMap<u64, TokenHash>,
    /// The numbers of each user's, oldest first.
    by_user: HashMap<UserId, VecDeque<u64>>,
    issued: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    principal: Principal,
    expires_at: Timestamp,
}

impl Tickets {
    pub(super) fn new(max: usize) -> Self {
        Self { max, waiting: Mutex::default() }
    }

    /// Keeps a ticket until it is used or over: false if there is no room.
    fn keep(&self, ticket: TokenHash, principal: Principal, now: Timestamp) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.forget_expired(now);
        waiting.make_room_of(principal.user_id);
        let room = waiting.by_hash.len() < self.max;
        if room {
            waiting.add(ticket, principal, now.plus(LIFETIME));
        }
        room
    }

    /// Uses a ticket up: whose it was, if it was still good.
    fn take(&self, ticket: &TokenHash, now: Timestamp) -> Option<Principal> {
        let kept = self.waiting.lock().remove(ticket)?;
        (now < kept.expires_at).then_some(kept.principal)
    }
}

impl Waiting {
    fn add(&mut self, ticket: TokenHash, principal: Principal, expires_at: Timestamp) {
        self.issued += 1;
        let number = self.issued;
        self.by_hash.insert(ticket, Kept { number, principal, expires_at });
        self.by_number.insert(number, ticket);
        self.by_user.entry(principal.user_id).or_default().push_back(number);
    }

    fn remove(&mut self, ticket: &TokenHash) -> Option<Kept> {
        let kept = self.by_hash.remove(ticket)?;
        self.by_number.remove(&kept.number);
        let user = kept.principal.user_id;
        if let Some(numbers) = self.by_user.get_mut(&user) {
            numbers.retain(|&number| number != kept.number);
            if numbers.is_empty() {
                self.by_user.remove(&user);
            }
        }
        Some(kept)
    }

    fn forget_expired(&mut self, now: Timestamp) {
        while let Some((_, &oldest)) = self.by_number.first_key_value() {
            if self.by_hash.get(&oldest).is_some_and(|kept| now < kept.expires_at) {
                return;
            }
            self.remove(&oldest);
        }
    }

    fn make_room_of(&mut self, user: UserId) {
        let Some(numbers) = self.by_user.get(&user) else { return };
        if numbers.len() < MAX_OF_USER {
            return;
        }
        if let Some(&oldest) = numbers.front().and_then(|number| self.by_number.get(number)) {
            self.remove(&oldest);
        }
    }
}

impl Accounts {
    /// Gives a ticket to who is asking. Of one user 16 may wait to be used; a further one takes the place of the oldest.
    ///
    /// It is kept in this process alone, and no longer than it is good.
    ///
    /// # Errors
    ///
    /// [`AccountError::TooManyTickets`] if [`AccountsConfig::max_tickets`](crate::accounts::AccountsConfig::max_tickets) wait.
    pub fn issue_ticket(&self, principal: &Principal) -> Result<Ticket, AccountError> {
        let secret = self.parts.ids.secret();
        if self.parts.tickets.keep(TokenHash::of(&secret), *principal, self.parts.clock.now()) {
            Ok(Ticket { text: URL_SAFE_NO_PAD.encode(secret), expires_in: LIFETIME })
        } else {
            Err(AccountError::TooManyTickets)
        }
    }

    /// Who shows this ticket, which is used up. Of many that show one ticket at once, one is let in.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if it is none, was used, is over, or its session has been ended since.
    pub fn redeem_ticket(&self, text: &str) -> Result<Principal, AccountError> {
        let secret = URL_SAFE_NO_PAD.decode(text).map_err(|_| AccountError::Unauthorized)?;
        let now = self.parts.clock.now();
        let principal = self.parts.tickets.take(&TokenHash::of(&secret), now);
        let is_over = |principal: &Principal| principal.ends_with_token && now >= principal.expires_at;
        match principal {
            Some(principal) if !self.is_revoked(principal.session_id) && !is_over(&principal) => Ok(principal),
            Some(_) | None => Err(AccountError::Unauthorized),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn of(user: u8) -> Principal {
        let session_id = SessionId::from_bytes([user; 16]);
        Principal {
            user_id: UserId::from_bytes([user; 16]),
            session_id,
            expires_at: NOW.plus(Duration::from_secs(600)),
            ends_with_token: false,
        }
    }

    fn ticket(number: u8) -> TokenHash {
        TokenHash::of(&[number])
    }

    #[test]
    fn a_ticket_works_once_and_for_thirty_seconds() {
        let tickets = Tickets::new(10);
        assert!(tickets.keep(ticket(1), of(1), NOW) && tickets.keep(ticket(2), of(2), NOW));
        let last = NOW.plus(Duration::from_millis(29_999));
        assert_eq!(tickets.take(&ticket(1), last), Some(of(1)));
        assert_eq!(tickets.take(&ticket(1), last), None, "used");
        assert_eq!(tickets.take(&ticket(2), NOW.plus(LIFETIME)), None, "over");
        assert_eq!(tickets.take(&ticket(3), NOW), None, "never one");
    }

    #[test]
    fn their_number_is_bounded_and_what_is_over_or_used_leaves_nothing_behind() {
        let tickets = Tickets::new(3);
        assert!((1..=3).all(|n| tickets.keep(ticket(n), of(n), NOW)));
        assert!(!tickets.keep(ticket(4), of(4), NOW), "full");
        assert!(tickets.take(&ticket(2), NOW).is_some());
        assert!(tickets.keep(ticket(4), of(4), NOW), "one was used");
        let later = NOW.plus(LIFETIME);
        assert!((5..=7).all(|n| tickets.keep(ticket(n), of(n), later)), "the others are over");
        assert!(!tickets.keep(ticket(8), of(8), later));
        assert!((5..=7).all(|n| tickets.take(&ticket(n), later).is_some()));
        let waiting = tickets.waiting.lock();
        assert!(
            waiting.by_hash.is_empty() && waiting.by_number.is_empty() && waiting.by_user.is_empty(),
            "{waiting:?}"
        );
    }

    #[test]
    fn a_user_who_asks_for_more_loses_the_oldest_and_takes_nothing_from_others() {
        let tickets = Tickets::new(100);
        assert!(tickets.keep(ticket(200), of(2), NOW));
        let max = u8::try_from(MAX_OF_USER).expect("small");
        assert!((0..=max).all(|n| tickets.keep(ticket(n), of(1), NOW)));
        assert_eq!(tickets.take(&ticket(0), NOW), None, "the oldest");
        assert!((1..=max).all(|n| tickets.take(&ticket(n), NOW) == Some(of(1))));
        assert_eq!(tickets.take(&ticket(200), NOW), Some(of(2)));
    }
}
