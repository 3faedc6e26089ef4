//! Tickets: how a live connection learns who is there. A browser cannot send an access token when it opens a WebSocket, and one
//! in the URL would end up in logs; a ticket is good for nothing else, once, and not for long.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

use crate::accounts::{AccountError, Accounts, Principal, TokenHash};
use crate::clock::Timestamp;
use crate::encoding::pre_authentication_encoding;
use crate::error::Chain;
use crate::id_source::IdSourceExt;
use crate::ids::{SessionId, UserId};
use crate::verifier::{KeyRing, Macs};

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

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// Other nodes may take it: whether they have is not known here.
    is_shared: bool,
}

/// Whose a ticket is, as far as this node knows.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// It was kept here alone.
    Here(Principal),
    /// It is kept where all nodes look, or not at all.
    Elsewhere,
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

    /// Others may take it from now on.
    fn share(&self, ticket: &TokenHash) {
        if let Some(kept) = self.waiting.lock().by_hash.get_mut(ticket) {
            kept.is_shared = true;
        }
    }

    /// Uses a ticket up, as far as it is kept here.
    fn take(&self, ticket: &TokenHash, now: Timestamp) -> Taken {
        match self.waiting.lock().remove(ticket) {
            Some(kept) if !kept.is_shared && now < kept.expires_at => Taken::Here(kept.principal),
            Some(_) | None => Taken::Elsewhere,
        }
    }
}

impl Waiting {
    fn add(&mut self, ticket: TokenHash, principal: Principal, expires_at: Timestamp) {
        self.issued += 1;
        let number = self.issued;
        self.by_hash.insert(ticket, Kept { number, principal, expires_at, is_shared: false });
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

/// Signs what is kept of a ticket for other nodes: whoever can write there can lose tickets, and make up none.
pub(super) struct TicketSignatures(Macs);

/// A user, a session, two times, and whether it ends with the token.
const SAID: usize = 16 + 16 + 8 + 8 + 1;

impl fmt::Debug for TicketSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSignatures")
    }
}

impl TicketSignatures {
    pub(super) fn new(ring: &KeyRing) -> Self {
        Self(Macs::of(ring, "tickets"))
    }

    fn sign(&self, ticket: &TokenHash, principal: &Principal, expires_at: Timestamp) -> Vec<u8> {
        let Principal { user_id, session_id, expires_at: token_expires_at, ends_with_token } = principal;
        let [over, token_over] = [expires_at, *token_expires_at].map(|at| at.as_millis().to_be_bytes());
        let said: [&[u8]; 5] =
            [user_id.as_bytes(), session_id.as_bytes(), &over, &token_over, &[u8::from(*ends_with_token)]];
        let said = said.concat();
        let mac = tag(&self.0.get()[0].1, ticket, &said).finalize().into_bytes();
        [said.as_slice(), &mac].concat()
    }

    /// Whose this ticket is, if a node of these keys has signed that, and it is still good.
    fn read(&self, ticket: &TokenHash, signed: &[u8], now: Timestamp) -> Option<Principal> {
        let (said, mac) = signed.split_first_chunk::<SAID>()?;
        if !self.0.get().iter().any(|(_, key)| tag(key, ticket, said).verify_slice(mac).is_ok()) {
            return None;
        }
        let (user_id, rest) = said.split_first_chunk::<16>()?;
        let (session_id, rest) = rest.split_first_chunk::<16>()?;
        let (over, rest) = rest.split_first_chunk::<8>()?;
        let (token_over, rest) = rest.split_first_chunk::<8>()?;
        let [over, token_over] = [over, token_over].map(|at| Timestamp::from_millis(i64::from_be_bytes(*at)));
        (now < over).then(|| Principal {
            user_id: UserId::from_bytes(*user_id),
            session_id: SessionId::from_bytes(*session_id),
            expires_at: token_over,
            ends_with_token: rest != [0],
        })
    }
}

fn tag(key: &Hmac<Sha256>, ticket: &TokenHash, said: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    pre_authentication_encoding("scoreboard/ticket/v1", &[ticket.as_bytes(), said], |bytes| mac.update(bytes));
    mac
}

impl Accounts {
    /// Gives a ticket to who is asking. Of one user 16 may wait to be used here; a further one takes the place of the oldest, as far as that is kept here.
    ///
    /// It is kept no longer than it is good: by its hash, in this process, and with the [shared ones](crate::accounts::AccountsBuilder::with_shared_tickets),
    /// if there are any; then all nodes take it. Where those cannot be reached, it is good at this node alone.
    ///
    /// # Errors
    ///
    /// [`AccountError::TooManyTickets`] if [`AccountsConfig::max_tickets`](crate::accounts::AccountsConfig::max_tickets) wait.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a ticket that nobody has is kept until it is over.
    pub async fn issue_ticket(&self, principal: &Principal) -> Result<Ticket, AccountError> {
        let parts = &*self.parts;
        let now = parts.clock.now();
        let (mut secret, hash) = self.keep_ticket(principal, now)?;
        if let Some(shared) = &parts.shared_tickets {
            let signed = parts.ticket_signatures.sign(&hash, principal, now.plus(LIFETIME));
            match shared.put(hash.as_bytes(), &signed, LIFETIME).await {
                Ok(()) => parts.tickets.share(&hash),
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "a ticket is good at this node alone");
                    // That one may be kept there all the same: another is given out, which is not.
                    parts.tickets.take(&hash, now);
                    secret = self.keep_ticket(principal, now)?.0;
                }
            }
        }
        Ok(Ticket { text: URL_SAFE_NO_PAD.encode(secret), expires_in: LIFETIME })
    }

    fn keep_ticket(&self, principal: &Principal, now: Timestamp) -> Result<([u8; 32], TokenHash), AccountError> {
        let secret = self.parts.ids.secret();
        let hash = TokenHash::of(&secret);
        if self.parts.tickets.keep(hash, *principal, now) {
            Ok((secret, hash))
        } else {
            Err(AccountError::TooManyTickets)
        }
    }

    /// Who shows this ticket, which is used up. Of many that show one ticket at once, at whichever nodes, one is let in.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if it is none, was used, is over, or its session has been ended since; [`AccountError::Backend`] if it may be
    /// among the shared ones, and those cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the ticket is used up or not.
    pub async fn redeem_ticket(&self, text: &str) -> Result<Principal, AccountError> {
        let secret = URL_SAFE_NO_PAD.decode(text).map_err(|_| AccountError::Unauthorized)?;
        // Nobody is asked about anything else.
        let secret = <[u8; 32]>::try_from(secret).map_err(|_| AccountError::Unauthorized)?;
        let (parts, now) = (&*self.parts, self.parts.clock.now());
        let hash = TokenHash::of(&secret);
        let principal = match (parts.tickets.take(&hash, now), &parts.shared_tickets) {
            (Taken::Here(principal), _) => Some(principal),
            (Taken::Elsewhere, Some(shared)) => {
                let signed = shared.take(hash.as_bytes()).await?;
                signed.and_then(|signed| parts.ticket_signatures.read(&hash, &signed, now))
            }
            (Taken::Elsewhere, None) => None,
        };
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
    use crate::verifier::Secret;

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
        assert_eq!(tickets.take(&ticket(1), last), Taken::Here(of(1)));
        assert_eq!(tickets.take(&ticket(1), last), Taken::Elsewhere, "used");
        assert_eq!(tickets.take(&ticket(2), NOW.plus(LIFETIME)), Taken::Elsewhere, "over");
        assert_eq!(tickets.take(&ticket(3), NOW), Taken::Elsewhere, "never one");
    }

    #[test]
    fn their_number_is_bounded_and_what_is_over_or_used_leaves_nothing_behind() {
        let tickets = Tickets::new(3);
        assert!((1..=3).all(|n| tickets.keep(ticket(n), of(n), NOW)));
        assert!(!tickets.keep(ticket(4), of(4), NOW), "full");
        assert_eq!(tickets.take(&ticket(2), NOW), Taken::Here(of(2)));
        assert!(tickets.keep(ticket(4), of(4), NOW), "one was used");
        let later = NOW.plus(LIFETIME);
        assert!((5..=7).all(|n| tickets.keep(ticket(n), of(n), later)), "the others are over");
        assert!(!tickets.keep(ticket(8), of(8), later));
        assert!((5..=7).all(|n| tickets.take(&ticket(n), later) == Taken::Here(of(n))));
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
        assert_eq!(tickets.take(&ticket(0), NOW), Taken::Elsewhere, "the oldest");
        assert!((1..=max).all(|n| tickets.take(&ticket(n), NOW) == Taken::Here(of(1))));
        assert_eq!(tickets.take(&ticket(200), NOW), Taken::Here(of(2)));
    }

    #[test]
    fn what_is_kept_for_others_is_signed_for_its_ticket_and_time() {
        let key = |number: u8| (format!("k{number}").parse().unwrap(), Secret::from_bytes([number; 32]));
        let signatures =
            |numbers: &[u8]| TicketSignatures::new(&KeyRing::new(numbers.iter().copied().map(key).collect()).unwrap());
        let (ours, until) = (signatures(&[1]), NOW.plus(LIFETIME));
        for principal in [of(1), Principal { ends_with_token: true, ..of(1) }] {
            let signed = ours.sign(&ticket(1), &principal, until);
            assert_eq!(ours.read(&ticket(1), &signed, NOW), Some(principal));
            assert_eq!(signatures(&[2, 1]).read(&ticket(1), &signed, NOW), Some(principal), "by a key of before");
            assert_eq!(ours.read(&ticket(1), &signed, until), None, "over");
            assert_eq!(ours.read(&ticket(2), &signed, NOW), None, "of another ticket");
            assert_eq!(signatures(&[2]).read(&ticket(1), &signed, NOW), None, "of another ring");
            for place in 0..signed.len() {
                let mut altered = signed.clone();
                altered[place] ^= 1;
                assert_eq!(ours.read(&ticket(1), &altered, NOW), None, "byte {place}");
                assert_eq!(ours.read(&ticket(1), &signed[..place], NOW), None, "cut at {place}");
            }
        }
    }
}
