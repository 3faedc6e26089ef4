//! Accounts, as far as they are a matter of this store.

use scoreboard_core::accounts::{CreateUser, DisplayName, Email, PasswordHash, Role, User, UserStore};
use scoreboard_core::{Timestamp, UserId};
use scoreboard_sqlite::{Config, SqliteStore};

#[tokio::test]
async fn what_an_older_rule_let_in_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&Config::new(folder.path().join("scoreboard.db"))).await.unwrap();
    let user = User {
        id: UserId::from_bytes([7; 16]),
        email: Email::from_store("ädä@example.org".to_owned()),
        display_name: DisplayName::from_store("soft\u{ad}hyphen".to_owned()),
        roles: vec![Role::User],
        created_at: Timestamp::from_millis(0),
    };
    let password = PasswordHash::new("$argon2id$…".to_owned());
    assert_eq!(store.create_user(&user, &password).await.unwrap(), CreateUser::Created);
    let found = store.user(user.id).await.unwrap().expect("the user is there");
    assert_eq!(found, user);
    store.close().await;
}
