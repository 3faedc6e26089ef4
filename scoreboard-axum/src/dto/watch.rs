//! Parameters of watching by server-sent events.

use std::borrow::Cow;

use scoreboard_core::{BoardId, LiveWindow, UserId};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::live::{DEFAULT_LIMIT, DEFAULT_RADIUS};
use crate::problem::Problem;
use crate::query::within;

/// What to watch: the top, or a user with those next to them (`around`), or some users (`users`).
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WatchParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    pub(crate) board: BoardId,
    /// How many entries of its top.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10, nullable = false)]
    limit: Option<i64>,
    /// In the place of the top: this user with those next to them, wherever the user goes.
    #[serde(default)]
    #[param(nullable = false)]
    around: Option<UserId>,
    /// With `around`: how many on each side.
    #[serde(default, deserialize_with = "within::<_, 1, 50>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 50, default = 5, nullable = false)]
    radius: Option<i64>,
    /// In the place of the top: these users, 1 to 100 ids with commas between them, wherever they stand.
    #[serde(default, deserialize_with = "users")]
    #[param(
        value_type = Option<String>,
        pattern = "^[0-9a-fA-F-]{36}(,[0-9a-fA-F-]{36}){0,99}$",
        nullable = false
    )]
    users: Option<LiveWindow>,
}

impl WatchParams {
    /// Which part of the board.
    ///
    /// # Errors
    ///
    /// A problem if parameters of several parts are mixed, which would leave open what is meant.
    pub(crate) fn window(&self) -> Result<LiveWindow, Problem> {
        let number = |number: Option<i64>, default| number.and_then(|n| n.try_into().ok()).unwrap_or(default);
        let misplaced = |name: &str, detail: &str| Err(Problem::invalid(format!("/query/{name}"), detail));
        let foreign = self.limit.map(|_| "limit").or_else(|| self.radius.map(|_| "radius"));
        match (&self.users, self.around) {
            (Some(_), Some(_)) => misplaced("users", "`around` and `users` are two ways to watch"),
            (Some(users), None) => match foreign {
                Some(name) => misplaced(name, "does not belong to `users`"),
                None => Ok(users.clone()),
            },
            (None, Some(_)) if self.limit.is_some() => misplaced("limit", "does not belong to `around`"),
            (None, Some(user)) => Ok(LiveWindow::around(user, number(self.radius, DEFAULT_RADIUS))),
            (None, None) if self.radius.is_some() => misplaced("radius", "belongs to `around`"),
            (None, None) => Ok(LiveWindow::top(number(self.limit, DEFAULT_LIMIT))),
        }
    }
}

fn users<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LiveWindow>, D::Error> {
    let text = Cow::<'_, str>::deserialize(deserializer)?;
    // One more than may be is enough to know that there are too many.
    let users: Vec<UserId> = text
        .split(',')
        .take(LiveWindow::MAX_USERS + 1)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(D::Error::custom)?;
    if users.len() > LiveWindow::MAX_USERS {
        return Err(D::Error::custom("must have 1 to 100 users"));
    }
    LiveWindow::users(users).map(Some).map_err(D::Error::custom)
}
