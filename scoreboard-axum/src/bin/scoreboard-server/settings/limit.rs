//! A limit as it is written: `10/min`, or `off`.

use scoreboard_core::{InvalidValue, Quota};
use serde::{Deserialize, Serialize};

/// How often something may be done, if that is limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Limit {
    text: String,
    quota: Option<Quota>,
}

impl Limit {
    /// The quota; `None` for `off`.
    pub(crate) const fn quota(&self) -> Option<Quota> {
        self.quota
    }

    /// What a default says.
    pub(super) fn preset(text: &str) -> Self {
        Self::try_from(text.to_owned()).expect("defaults are limits")
    }
}

impl TryFrom<String> for Limit {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let invalid = |_| {
            InvalidValue::new(
                "limit",
                "must be like `10/min`, `5/s`, `100/h` or `20/day`, from 1 to 1000000000, or `off`",
            )
        };
        let quota = if text == "off" { None } else { Some(text.parse().map_err(invalid)?) };
        Ok(Self { text, quota })
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.text
    }
}
