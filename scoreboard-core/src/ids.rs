//! The names of things: validated newtypes, so that mixing two kinds does not compile.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::InvalidValue;
use crate::wire::text_on_the_wire;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = uuid::Uuid))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The least id.
            pub const MIN: Self = Self(Uuid::nil());
            /// The greatest id.
            pub const MAX: Self = Self(Uuid::max());

            /// Wraps a UUID that an [`IdSource`](crate::IdSource) or a store gave.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// The 16 bytes, most significant first: sorts as the id does.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id with these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| InvalidValue::new($word, "must be a UUID"))
            }
        }
    };
}

uuid_id!(
    /// Who scores: a user of the accounts, or of the embedding game's own login.
    UserId,
    "user id"
);
uuid_id!(
    /// One action: the key under which it counts exactly once.
    ActionId,
    "action id"
);
uuid_id!(
    /// One login and all tokens that came of it.
    SessionId,
    "session id"
);
uuid_id!(
    /// One finding of the fraud rules.
    IncidentId,
    "incident id"
);

uuid_id!(
    /// One decision of a moderator: the key under which it is carried out exactly once.
    ModerationId,
    "moderation id"
);

impl UserId {
    /// The id that stands for somebody else's stable name of a user, for games with a login of their own.
    ///
    /// The same name in the same namespace always gives the same id (a UUIDv8 made of the SHA-256 of both).
    ///
    /// ```
    /// use scoreboard_core::UserId;
    /// assert_eq!(UserId::for_name("steam", "7656119"), UserId::for_name("steam", "7656119"));
    /// assert_ne!(UserId::for_name("steam", "7656119"), UserId::for_name("gog", "7656119"));
    /// ```
    #[must_use]
    pub fn for_name(namespace: &str, name: &str) -> Self {
        Self(crate::encoding::uuid_for("scoreboard/user/v1", &[namespace.as_bytes(), name.as_bytes()]))
    }
}

macro_rules! slug_id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        ///
        /// A slug: `[a-z0-9][a-z0-9_-]{0,62}`.
        #[derive(Clone, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::derived_hash_with_manual_eq, reason = "equal are those whose texts are, as ever")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,62}$"))]
        pub struct $name(Arc<str>);

        /// Most that are compared are clones of one.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || *self.0 == *other.0
            }
        }

        impl $name {
            /// Checks and wraps a slug.
            ///
            /// # Errors
            ///
            /// [`InvalidValue`] if it is no slug.
            pub fn new(text: &str) -> Result<Self, InvalidValue> {
                if is_slug(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidValue::new($word, "must match [a-z0-9][a-z0-9_-]{0,62}"))
                }
            }

            /// The slug itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        text_on_the_wire!($name);
    };
}

slug_id!(
    /// A board's name in URLs and messages.
    BoardId,
    "board"
);
slug_id!(
    /// The name of an action kind in a board's catalogue.
    KindId,
    "kind"
);
slug_id!(
    /// The name of a signing key in a key ring, or of a trusted game server's key.
    KeyId,
    "key id"
);

impl BoardId {
    /// The board that a request means which names none: `main`.
    #[must_use]
    pub fn main() -> Self {
        static MAIN: LazyLock<Arc<str>> = LazyLock::new(|| "main".into());
        Self(MAIN.clone())
    }
}

fn is_slug(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match text.as_bytes() {
        [first, rest @ ..] => {
            inner(*first) && rest.len() <= 62 && rest.iter().all(|&b| inner(b) || b == b'_' || b == b'-')
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_held_to_their_pattern() {
        for good in ["a", "0", "main", "a_b-c9", &"x".repeat(63)] {
            assert!(BoardId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "_a", "-a", "A", "a b", "ä", "a.b", &"x".repeat(64)] {
            assert!(BoardId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_survive_json() {
        let id = UserId::for_name("test", "1");
        let text = serde_json::to_string(&id).expect("ids encode");
        assert_eq!(serde_json::from_str::<UserId>(&text).expect("and decode"), id);
        assert!(serde_json::from_str::<BoardId>("\"Not A Slug\"").is_err());
    }
}
