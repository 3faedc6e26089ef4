//! Who has an account.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

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

/// An e-mail address as a browser's form takes it (HTML, "valid e-mail address"): visible ASCII, one `@`, and behind it the labels of a
/// domain; before it no empty part between dots (RFC 5321 §4.1.2); at most 64 bytes before the `@` and 254 in all (RFC 5321 §4.5.3.1). A domain in other letters is written in its ASCII form.
/// Whether it exists, only a mail can tell. Kept in lower case, so that one address is one account.
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
        match text.split_once('@') {
            Some((local, domain))
                if text.len() <= 254
                    && (1..=64).contains(&local.len())
                    && local.bytes().all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b))
                    && local.split('.').all(|part| !part.is_empty())
                    && domain.split('.').all(is_label) =>
            {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(InvalidValue::new("e-mail address", "must be like name@example.org, at most 254 bytes")),
        }
    }

    /// An address that was checked when it was stored, by whatever rule held then: a stricter one must not lock its account away. For stores.
    #[must_use]
    pub const fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of a domain (RFC 1034 §3.5, and digits first).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
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

/// A name to show: 1 to 40 visible characters, without spaces around it, and with at most three accents on one letter.
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
        let count = text.chars().count();
        if count == 0 || count > 40 || text.trim() != text || text.contains(is_hidden) || !is_legible(text) {
            return Err(InvalidValue::new(
                "display name",
                "must have 1 to 40 visible characters, no spaces around them, at most 3 accents on a letter",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// A name that was checked when it was stored, by whatever rule held then: a stricter one must not lock its account away. For stores.
    #[must_use]
    pub const fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What takes no space, looks like one, turns the direction of what is around it, or is whatever a font makes of it: it makes one name
/// look like another, or like none.
fn is_hidden(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate};

    /// `Default_Ignorable_Code_Point` of Unicode's `DerivedCoreProperties.txt`, as far as those categories do not hold it; the
    /// Braille pattern without dots; and what is no character.
    const BLANK: [std::ops::RangeInclusive<char>; 12] = [
        '\u{34f}'..='\u{34f}',
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{2060}'..='\u{206f}',
        '\u{2800}'..='\u{2800}',
        '\u{3164}'..='\u{3164}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff0}'..='\u{fff8}',
        '\u{fffe}'..='\u{ffff}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    let category = c.general_category();
    matches!(category, Control | Format | Surrogate | PrivateUse | LineSeparator | ParagraphSeparator)
        || BLANK.iter().any(|range| range.contains(&c))
}

/// Whether marks stand on something, and do not pile up over the lines around.
fn is_legible(text: &str) -> bool {
    /// As many as any language needs, and some spare.
    const MAX_MARKS: usize = 3;
    let mark =
        |c: char| matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark);
    let mut run = 0;
    !text.starts_with(mark)
        && text.chars().all(|c| {
            run = if mark(c) { run + 1 } else { 0 };
            run <= MAX_MARKS
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_seen_as_they_are() {
        for good in [
            "A",
            "Ada Lovelace",
            "Üser 'n' 7 🏁",
            "李小龙",
            "Zoë",
            "Zoe\u{308}",
            "भरत",
            "ณัฐวุฒิ",
            "נִקּוּד",
            "🦀🦀🦀",
            "👩🏽",
            "a\u{3000}b",
            "x\u{301}\u{302}\u{303}",
        ] {
            assert!(DisplayName::new(good).is_ok(), "{good:?}");
        }
        assert!(DisplayName::new(&"ä".repeat(40)).is_ok());
        for bad in ["", " ", " a", "a ", "a\u{a0}", "\u{3000}a", "a\nb", "a\tb", "\u{301}", "\u{301}a"] {
            assert!(DisplayName::new(bad).is_err(), "{bad:?}");
        }
        assert!(DisplayName::new(&"ä".repeat(41)).is_err());
    }

    #[test]
    fn names_hide_nothing() {
        for hidden in [
            '\0',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{600}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2065}',
            '\u{206f}',
            '\u{2800}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fffb}',
            '\u{fffe}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{e0fff}',
            '\u{f0000}',
            '\u{10fffd}',
        ] {
            for name in [format!("{hidden}"), format!("a{hidden}b"), format!("{hidden}ab"), format!("ab{hidden}")] {
                assert!(DisplayName::new(&name).is_err(), "{name:?}");
            }
        }
    }

    #[test]
    fn marks_are_not_piled_up() {
        let piled = |marks: usize| format!("a{}b", "\u{301}".repeat(marks));
        assert!(DisplayName::new(&piled(3)).is_ok());
        assert!(DisplayName::new(&piled(4)).is_err());
        // Enclosing marks are of that kind, too; a letter between begins anew.
        assert!(DisplayName::new("a\u{301}\u{20dd}\u{301}\u{302}").is_err());
        assert!(DisplayName::new("a\u{301}\u{301}\u{301}a\u{301}\u{301}\u{301}").is_ok());
    }

    #[test]
    fn addresses_are_those_that_a_browser_takes() {
        let long = format!("{}@example.org", "a".repeat(64));
        let label = "b".repeat(63);
        for good in [
            "a@b",
            "Ada@Example.org",
            "ada+games@example.org",
            "o'neill_1.x-y/z=!#$%&*?^`{|}~@example.co.uk",
            "a@127.0.0.1",
            "a@xn--bcher-kva.example",
            &long,
            &format!("a@{label}.{label}"),
        ] {
            assert_eq!(Email::new(good).map(String::from), Ok(good.to_lowercase()), "{good}");
        }
        for bad in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b-.c",
            "a@b.-c",
            "a@b_c",
            "ä@example.org",
            "a@bücher.example",
            "a\u{ad}@b",
            "a@b\u{200b}",
            "a@b\0",
            "a,b@c",
            "\"a\"@b",
            "<a@b>",
            "a(b)@c",
            "a:b@c",
            "a@[::1]",
            "a@b:25",
            "a@b\n",
            &format!("a{long}"),
            &format!("a@b{label}"),
            &format!("a@{label}.{label}.{label}.{label}"),
        ] {
            assert!(Email::new(bad).is_err(), "{bad:?}");
        }
    }
}
