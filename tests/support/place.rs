//! Where a server keeps everything: what a test is run on, chosen in one line.

use std::path::Path;

use super::postgres::Schema;

/// Where a server keeps everything. Dropped, it is gone.
#[derive(Debug)]
pub(crate) enum Place {
    /// A file in the server's own folder.
    Sqlite,
    /// A schema of its own on PostgreSQL.
    Postgres(Schema),
    /// Whatever this URL leads to, a proxy most of all.
    At(String),
}

impl Place {
    /// A new file.
    pub(crate) async fn sqlite() -> Self {
        Self::Sqlite
    }

    /// A new schema.
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Schema::create().await)
    }

    /// What `--database-url` is for a server with this folder.
    pub(crate) fn url(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", folder.join("scoreboard.db").display()),
            Self::Postgres(schema) => schema.url().to_owned(),
            Self::At(url) => url.clone(),
        }
    }

    /// Whether the server needs keys that were made before.
    pub(crate) const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres(_) | Self::At(_) => true,
        }
    }
}

/// Runs each of these scenarios, `async fn name(place: Place)`, as a test of that name on every place.
macro_rules! on_every_place {
    ($($scenario:ident),+ $(,)?) => {
        $crate::support::place::on_every_place!(@ sqlite: $($scenario),+);
        $crate::support::place::on_every_place!(@ postgres: $($scenario),+);
    };
    (@ $place:ident: $($scenario:ident),+) => {
        mod $place {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario($crate::support::place::Place::$place().await).await;
                }
            )+
        }
    };
}
pub(crate) use on_every_place;
