//! A schema of its own for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use scoreboard_postgres::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use scoreboard_postgres::{Config, PostgresStore};

use super::server::{Server, server};

/// An empty schema that goes when this does.
#[derive(Debug)]
pub(crate) struct Schema {
    name: String,
    url: String,
}

impl Schema {
    pub(crate) async fn create() -> Self {
        Self::create_on(server()).await
    }

    /// One on this server, with which it goes.
    pub(crate) async fn create_on(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let base = server.url();
        run(base, &format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).await;
        let mark = if base.contains('?') { '&' } else { '?' };
        // `options` are settings that the session starts with; the name tells its connections from those of other tests. Last is
        // `options`, so that a test can add to it.
        let url = format!("{base}{mark}application_name={name}&options=-c%20search_path%3D{name}");
        Self { name, url }
    }

    /// The URL of the same schema on a replica.
    pub(crate) fn url_on(&self, replica: &Server) -> String {
        let (_, options) = self.url.split_once('?').expect("it has options");
        format!("{}?{options}", replica.url())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn config(&self) -> Config {
        Config::from_url(&self.url).expect("a URL")
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.config()).await.expect("an empty schema opens")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A server that goes with the tests takes its schemas along.
        let Some(url) = server().given() else { return };
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        // On a thread of its own: this one may be inside a runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(url, &drop));
        });
        if dropped.join().is_err() {
            eprintln!("the schema {} is left behind", self.name);
        }
    }
}

/// Runs statements beside the store.
pub(crate) async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("it connects");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("it runs");
    connection.close().await.expect("it closes");
}
