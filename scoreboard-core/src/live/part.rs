//! Which part of which board is watched.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::InvalidValue;
use crate::ids::{BoardId, UserId};

/// Which part of a board is watched. All who watch the same share one window.
///
/// ```
/// use scoreboard_core::{LiveWindow, UserId, WindowKind};
/// let (ada, bob) = (UserId::for_name("my-game", "ada"), UserId::for_name("my-game", "bob"));
/// assert_eq!(LiveWindow::users([ada, bob, ada])?, LiveWindow::users([bob, ada])?, "a list is a set");
/// assert_eq!(LiveWindow::around(ada, 5).kind(), WindowKind::Around);
/// assert!(LiveWindow::users([]).is_err());
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LiveWindow(WindowExtent);

/// What a window shows, with its bounds kept: see [`LiveWindow::extent`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WindowExtent {
    /// The first entries.
    Top {
        /// How many, from 1 to 100.
        limit: usize,
    },
    /// A user with those next to them.
    Around {
        /// Who is in the middle.
        user: UserId,
        /// How many entries on each side, from 1 to 50.
        radius: usize,
    },
    /// These users, 1 to 100, sorted by their ids and each once.
    Users(Arc<[UserId]>),
}

/// The kinds of windows: what tells the messages of one board apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WindowKind {
    /// The top of the board.
    #[default]
    Top,
    /// A user with those next to them.
    Around,
    /// Some users, wherever they stand.
    Users,
}

impl LiveWindow {
    /// The most users that a list may have.
    pub const MAX_USERS: usize = 100;

    /// The first `limit` entries, from 1 to 100.
    #[must_use]
    pub fn top(limit: usize) -> Self {
        Self(WindowExtent::Top { limit: limit.clamp(1, 100) })
    }

    /// A user with `radius` entries, from 1 to 50, on each side, wherever the user is: as [`Range::Around`](crate::Range::Around). Empty
    /// as long as the user is not on the board.
    #[must_use]
    pub fn around(user: UserId, radius: usize) -> Self {
        Self(WindowExtent::Around { user, radius: radius.clamp(1, 50) })
    }

    /// These users, 1 to [`MAX_USERS`](Self::MAX_USERS), wherever they stand. Who is not on the board is not there until they are.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there are none or too many.
    pub fn users(users: impl IntoIterator<Item = UserId>) -> Result<Self, InvalidValue> {
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort_unstable();
        users.dedup();
        if users.is_empty() || users.len() > Self::MAX_USERS {
            return Err(InvalidValue::new("list of users", "must have 1 to 100"));
        }
        Ok(Self(WindowExtent::Users(users.into())))
    }

    /// Which kind of window it is.
    #[must_use]
    pub const fn kind(&self) -> WindowKind {
        match self.0 {
            WindowExtent::Top { .. } => WindowKind::Top,
            WindowExtent::Around { .. } => WindowKind::Around,
            WindowExtent::Users(_) => WindowKind::Users,
        }
    }

    /// What it shows.
    ///
    /// ```
    /// use scoreboard_core::{LiveWindow, WindowExtent};
    /// assert_eq!(*LiveWindow::top(500).extent(), WindowExtent::Top { limit: 100 });
    /// ```
    #[must_use]
    pub const fn extent(&self) -> &WindowExtent {
        &self.0
    }
}

impl WindowKind {
    /// Whether it is the top, which messages do not name.
    #[must_use]
    pub const fn is_top(&self) -> bool {
        matches!(self, Self::Top)
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Top => "top",
            Self::Around => "around",
            Self::Users => "users",
        })
    }
}

/// A part of a board: what one window is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub(crate) board: BoardId,
    pub(crate) window: LiveWindow,
}

impl Part {
    /// Who is in the middle, of a window around a user.
    pub(super) const fn user(&self) -> Option<UserId> {
        match self.window.extent() {
            WindowExtent::Around { user, .. } => Some(*user),
            WindowExtent::Top { .. } | WindowExtent::Users(_) => None,
        }
    }
}
