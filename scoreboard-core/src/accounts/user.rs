//! Who has an account.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::InvalidValue;
use crate::ids::UserId;

/// What a user may do beyond playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Plays.
    User,
    /// Reviews what the fraud rules found.
    Moderator,
    /// Everything.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "user" => Ok(Self::User),
            "moderator" => Ok(Self::Moderator),
            "admin" => Ok(Self::Admin),
            _ => Err(InvalidValue::new("role", "must be `user`, `moderator` or `admin`")),
        }
    }
}

/// An e-mail address: one `@` with text before it and a dotted or local name behind it, at most 254 bytes (RFC 5321 §4.5.3.1.3),
/// without spaces or control characters. Whether it exists, only a mail can tell. Kept in lower case, so that one address is one account.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = "email", max_length = 254))]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Checks and wraps an address.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is none.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let bad_char = |c: char| c.is_whitespace() || c.is_control();
        match text.split_once('@') {
            Some((local, domain))
                if text.len() <= 254
                    && !local.is_empty()
                    && local.len() <= 64
                    && !domain.is_empty()
                    && !domain.contains('@')
                    && !domain.starts_with(['.', '-'])
                    && !domain.ends_with(['.', '-'])
                    && !text.contains(bad_char) =>
            {
                Ok(Self(text.to_lowercase()))
            }
            _ => Err(InvalidValue::new("e-mail address", "must be like name@example.org, at most 254 bytes")),
        }
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses are personal: they have no place in a log.
        f.write_str("Email(…)")
    }
}

impl FromStr for Email {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> String {
        email.0
    }
}

/// A name to show: 1 to 40 printable characters, without spaces around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 40))]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(String);

impl DisplayName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is too long, empty, or holds what cannot be seen.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        /// Marks that turn the direction of the text around them, or take no space: they make one name look like another.
        const INVISIBLE: [std::ops::RangeInclusive<char>; 5] = [
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{feff}'..='\u{feff}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        let bad_char = |c: char| c.is_control() || INVISIBLE.iter().any(|range| range.contains(&c));
        let count = text.chars().count();
        if count == 0 || count > 40 || text.trim() != text || text.contains(bad_char) {
            return Err(InvalidValue::new(
                "display name",
                "must have 1 to 40 visible characters, no spaces around them",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DisplayName {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::new(&text)
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> String {
        name.0
    }
}

/// A user as themself and admins see them; others never see an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Whose account.
    pub id: UserId,
    /// Where to reach them, and what they log in with.
    pub email: Email,
    /// The name to show.
    pub display_name: DisplayName,
    /// What they may do; always holds `user`, sorted.
    pub roles: Vec<Role>,
    /// When the account was made.
    pub created_at: Timestamp,
}
