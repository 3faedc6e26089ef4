//! Actions that were signed, and what an attacker makes of them.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::{
    ActionId, ActionVerifier, BoardId, Claims, HmacVerifier, KeyId, KeyRing, Points, Season, Secret, SignedAction,
    Timestamp, UserId,
};

pub(crate) const BOARDS: [&str; 4] = ["main", "main2", "ab", "a"];
pub(crate) const KINDS: [&str; 4] = ["quest", "tap", "c", "bc"];
/// On the wire, in order.
const FIELDS: [&str; 11] =
    ["id", "board", "season", "kind", "userId", "points", "issuedAt", "notBefore", "expiresAt", "keyId", "hash"];

/// The keys of an environment: all environments name them alike.
pub(crate) fn ring(environment: u8) -> KeyRing {
    KeyRing::new(vec![key("k2", environment), key("k1", environment + 100)]).expect("two keys")
}

/// The same before the second was made.
pub(crate) fn ring_before(environment: u8) -> KeyRing {
    KeyRing::new(vec![key("k1", environment + 100)]).expect("a key")
}

fn key(id: &str, byte: u8) -> (KeyId, Secret) {
    (KeyId::new(id).expect("a slug"), Secret::from_bytes([byte; 32]))
}

/// Actions of a few users on a few boards.
pub(crate) fn signed(verifier: &dyn ActionVerifier) -> Vec<SignedAction> {
    (0..32_u8).map(|n| verifier.sign(claims(n))).collect()
}

fn claims(n: u8) -> Claims {
    let of = |names: [&'static str; 4]| names[usize::from(n) % 4];
    let at = Timestamp::from_millis(1_700_000_000_000 + i64::from(n));
    Claims {
        id: ActionId::from_bytes([n + 1; 16]),
        board: BoardId::new(of(BOARDS)).expect("a slug"),
        season: Season::new(1 + u32::from(n / 8)),
        kind: of(KINDS).parse().expect("a slug"),
        user_id: UserId::for_name("forged", ["ada", "eve", "bob"][usize::from(n) % 3]),
        points: Points::new(i64::from(n) * 10 - 50).expect("small"),
        issued_at: at,
        not_before: at.plus(Duration::from_secs(2)),
        expires_at: at.plus(Duration::from_secs(600)),
    }
}

/// Mutated actions without an end.
pub(crate) struct Mutations<'a> {
    genuine: &'a [SignedAction],
    /// The same claims, signed elsewhere.
    elsewhere: Vec<SignedAction>,
    rng: StdRng,
}

impl<'a> Mutations<'a> {
    pub(crate) fn new(genuine: &'a [SignedAction], seed: u64) -> Self {
        Self { genuine, elsewhere: signed(&HmacVerifier::new(&ring(8))), rng: StdRng::seed_from_u64(seed) }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    fn any(&mut self) -> SignedAction {
        let index = self.below(self.genuine.len());
        self.genuine[index].clone()
    }

    /// What it is, and how it goes over the wire.
    pub(crate) fn next(&mut self) -> (&'static str, Vec<u8>) {
        let mut action = self.any();
        match self.below(15) {
            0 => return ("bits of the text", self.bits(&action)),
            1 => return ("a shorter or longer text", self.length(&action)),
            2 => return ("numbers, times and ids spelt otherwise", self.spelling(&action)),
            3 => return ("members left out, doubled or added", self.members(&action)),
            4 => {
                self.fields_of_another(&mut action);
                return ("fields of another action", json(&action));
            }
            5 => {
                action.hash = self.any().hash;
                return ("another's signature", json(&action));
            }
            6 => {
                self.signature(&mut action);
                return ("an altered signature", json(&action));
            }
            7 => {
                let index = self.below(self.elsewhere.len());
                let mut foreign = self.elsewhere[index].clone();
                if self.below(2) == 0 {
                    foreign.key_id = action.key_id;
                }
                return ("another environment", json(&foreign));
            }
            8 => {
                let ids = ["k1", "k2", "k3", "k", "random"];
                action.key_id = KeyId::new(ids[self.below(ids.len())]).expect("a slug");
                return ("another key", json(&action));
            }
            _ => {}
        }
        let kind = self.claim(&mut action.claims);
        (kind, json(&action))
    }

    fn claim(&mut self, claims: &mut Claims) -> &'static str {
        let byte = self.below(16);
        let bit = 1 << self.below(8);
        match self.below(8) {
            0 => {
                let mut bytes = *claims.id.as_bytes();
                bytes[byte] ^= bit;
                claims.id = ActionId::from_bytes(bytes);
                "another id"
            }
            1 => {
                let mut bytes = *claims.user_id.as_bytes();
                bytes[byte] ^= bit;
                claims.user_id = UserId::from_bytes(bytes);
                "another user"
            }
            2 => {
                claims.season = Season::new(claims.season.get() ^ (1 << self.below(32)));
                "another season"
            }
            3 => {
                let points = claims.points.get();
                let others = [points + 1, points - 1, -points, points * 10, points << 8, 1_000_000];
                claims.points = Points::new(others[self.below(others.len())]).expect("small");
                "other points"
            }
            4 => {
                let board = BOARDS[self.below(BOARDS.len())];
                claims.board = BoardId::new(board).expect("a slug");
                "another board"
            }
            5 => {
                claims.kind = KINDS[self.below(KINDS.len())].parse().expect("a slug");
                "another kind"
            }
            6 => {
                // A letter that moves over the border between two fields.
                let (board, kind) = (claims.board.as_str().to_owned(), claims.kind.as_str().to_owned());
                let joined = format!("{board}{kind}");
                let at = 1 + self.below(joined.len() - 1);
                claims.board = BoardId::new(&joined[..at]).expect("a slug");
                claims.kind = joined[at..].parse().expect("a slug");
                "letters moved from field to field"
            }
            _ => {
                let millis = 1 << self.below(36);
                let by = Duration::from_millis(millis);
                let later = self.below(2) == 0;
                match self.below(5) {
                    0 => std::mem::swap(&mut claims.issued_at, &mut claims.not_before),
                    1 => std::mem::swap(&mut claims.not_before, &mut claims.expires_at),
                    time => {
                        let time = match time {
                            2 => &mut claims.issued_at,
                            3 => &mut claims.not_before,
                            _ => &mut claims.expires_at,
                        };
                        *time = if later { time.plus(by) } else { time.minus(by) };
                    }
                }
                "other times"
            }
        }
    }

    fn fields_of_another(&mut self, action: &mut SignedAction) {
        let other = self.any();
        let (claims, others) = (&mut action.claims, other.claims);
        for field in 0..9 {
            if self.rng.random_range(0..3) > 0 {
                continue;
            }
            match field {
                0 => claims.id = others.id,
                1 => claims.board = others.board.clone(),
                2 => claims.season = others.season,
                3 => claims.kind = others.kind.clone(),
                4 => claims.user_id = others.user_id,
                5 => claims.points = others.points,
                6 => claims.issued_at = others.issued_at,
                7 => claims.not_before = others.not_before,
                _ => claims.expires_at = others.expires_at,
            }
        }
    }

    fn signature(&mut self, action: &mut SignedAction) {
        let mut bytes = *action.hash.as_bytes();
        match self.below(4) {
            0 => bytes = self.rng.random(),
            1 => bytes.reverse(),
            2 => bytes[16..].fill(0),
            _ => {
                for _ in 0..1 + self.below(4) {
                    bytes[self.below(32)] ^= 1 << self.below(8);
                }
            }
        }
        action.hash = scoreboard_core::Signature::from_bytes(bytes);
    }

    fn bits(&mut self, action: &SignedAction) -> Vec<u8> {
        let mut bytes = json(action);
        for _ in 0..1 + self.below(3) {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        }
        bytes
    }

    fn length(&mut self, action: &SignedAction) -> Vec<u8> {
        let mut bytes = json(action);
        let at = self.below(bytes.len());
        match self.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, b"0a \"-}"[self.below(6)]),
            2 => drop(bytes.remove(at)),
            _ => bytes.push(b" \n}0"[self.below(4)]),
        }
        bytes
    }

    /// The same values, or what is nearly so, in letters that we do not write.
    fn spelling(&mut self, action: &SignedAction) -> Vec<u8> {
        let text = String::from_utf8(json(action)).expect("JSON");
        let claims = &action.claims;
        let (season, points) = (claims.season.get(), claims.points.get());
        let (season_is, points_is) = (format!("\"season\":{season},"), format!("\"points\":{points},"));
        let id = claims.id.as_uuid();
        let (id_is, time) = (format!("\"id\":\"{id}\""), claims.expires_at.to_string());
        let spelt = match self.below(16) {
            0 => text.replace(&season_is, &format!("\"season\":{season}.0,")),
            1 => text.replace(&season_is, &format!("\"season\":0{season},")),
            2 => text.replace(&season_is, &format!("\"season\":{season}e0,")),
            3 => text.replace(&season_is, &format!("\"season\":\"{season}\",")),
            4 => text.replace(&points_is, &format!("\"points\":{points}.0,")),
            5 => text.replace(&points_is, &format!("\"points\":+{points},")),
            6 => text.replace(&points_is, &format!("\"points\":{points}E1,")),
            7 => text.replace(&points_is, &format!("\"points\":{},", i128::from(points) + (1 << 64))),
            8 => text.replace(&season_is, &format!("\"season\":{},", u64::from(season) + (1 << 32))),
            9 => text.replace(&id_is, &format!("\"id\":\"{}\"", id.to_string().to_uppercase())),
            10 => text.replace(&id_is, &format!("\"id\":\"{}\"", id.simple())),
            11 => text.replace(&id_is, &format!("\"id\":\"urn:uuid:{id}\"")),
            12 => text.replace(&time, &time.replace('Z', "+00:00")),
            13 => text.replace(&time, &time.replace('Z', "001Z")),
            14 => text.replace(&time, &time.replace('Z', "000Z")),
            _ => text.replace("\"kind\"", "\"\\u006bind\"").replace(',', " ,\n"),
        };
        spelt.into_bytes()
    }

    fn members(&mut self, action: &SignedAction) -> Vec<u8> {
        let text = String::from_utf8(json(action)).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let name = FIELDS[self.below(FIELDS.len())];
        let other = serde_json::to_value(self.any()).expect("it encodes");
        let list = |value: &serde_json::Value| FIELDS.map(|name| value[name].to_string()).join(",");
        let spelt = match self.below(8) {
            0 => {
                let mut without = value;
                without.as_object_mut().expect("an object").remove(name);
                without.to_string()
            }
            1 => format!("{{\"{name}\":{},{}", other[name], &text[1..]),
            2 => format!("{},\"{name}\":{}}}", &text[..text.len() - 1], other[name]),
            3 => format!("{{\"extra\":1,{}", &text[1..]),
            4 => text.replace(&format!("\"{name}\":"), &format!("\"{}\":", name.to_uppercase())),
            5 => text.replace(&value[name].to_string(), "null"),
            6 => format!("[{}]", list(&value)),
            _ => {
                // As a list, and with one of its values another's.
                let mut value = value;
                value[name] = other[name].clone();
                format!("[{}]", list(&value))
            }
        };
        spelt.into_bytes()
    }
}

fn json(action: &SignedAction) -> Vec<u8> {
    serde_json::to_vec(action).expect("it encodes")
}
