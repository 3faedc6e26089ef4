//! What becomes of the log once it is archived: a file that is kept elsewhere, for years.

use scoreboard_postgres::sqlx::{Connection, Executor, PgConnection};

use crate::support::server::Server;

/// Commands go by the database's clock: one that finds this before the real one is told of a year later.
const A_YEAR_LATER: &str = "
    CREATE SCHEMA later;
    CREATE FUNCTION later.clock_timestamp() RETURNS timestamptz LANGUAGE sql
        AS $$ SELECT pg_catalog.clock_timestamp() + interval '1 year' $$;";

/// Archives all that the log has, as on a day long after, and gives what the command prints and the files.
pub(crate) async fn archived(server: &Server, url: &str, user: &str) -> Vec<(String, Vec<u8>)> {
    let mut connection = PgConnection::connect(url).await.expect("it connects");
    connection.execute(A_YEAR_LATER).await.expect("the function is made");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests takes files");
    let later = format!("{url}&options=-c%20search_path%3Dlater%2Cpublic%2Cpg_catalog");
    let to = folder.path().to_str().expect("text");
    let output = server.command_at(later, &["archive", "--older-than", "3d", "--to", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut said = vec![("what `archive` prints".to_owned(), [output.stdout, output.stderr].concat())];
    for file in std::fs::read_dir(folder.path()).expect("it is there") {
        let path = file.expect("a file").path();
        said.push((format!("the archive {}", path.display()), std::fs::read(&path).expect("it is read")));
    }
    let rows = said.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).matches(user).count()).sum::<usize>();
    assert!(rows > 5, "what the user did is in it: {rows} rows");
    said
}
