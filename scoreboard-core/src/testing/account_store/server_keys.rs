//! Keys of trusted game servers.

use crate::accounts::{ServerCredential, ServerKey, TokenHash};
use crate::ids::KeyId;
use crate::testing::fixture::AccountStoreFixture;
use crate::testing::play::at;

fn key(id: &str, secret: &str) -> ServerKey {
    ServerKey {
        id: KeyId::new(id).expect("the suite names keys by slugs"),
        credential: ServerCredential::Secret(TokenHash::of(secret.as_bytes())),
        created_at: at(5),
    }
}

/// A key is kept whole, and told from others.
pub async fn a_server_key_is_kept_whole<F: AccountStoreFixture>(f: &F) {
    let (store, one, two) = (f.account_store(), key("eu-1", "one"), key("eu_1", "two"));
    // The same bytes, and another credential.
    let (bytes, _) = one.credential.to_parts();
    let signing = ServerKey { credential: ServerCredential::PublicKey(*bytes), ..key("signing", "") };
    for key in [&one, &two, &signing] {
        assert!(store.add_server_key(key).await.expect("add_server_key answers"), "{} is new", key.id);
    }
    for key in [one, two, signing] {
        assert_eq!(store.server_key(&key.id).await.expect("server_key answers"), Some(key));
    }
    let unknown = store.server_key(&key("eu", "x").id).await.expect("server_key answers");
    assert_eq!(unknown, None, "nobody added this key");
}

/// An id has one key: a second is not added, and changes nothing.
pub async fn an_id_has_one_server_key<F: AccountStoreFixture>(f: &F) {
    let (store, first) = (f.account_store(), key("eu-1", "first"));
    assert!(store.add_server_key(&first).await.expect("add_server_key answers"), "the id is free");
    let second = key("eu-1", "second");
    assert!(!store.add_server_key(&second).await.expect("add_server_key answers"), "the id is taken");
    assert_eq!(store.server_key(&first.id).await.expect("server_key answers"), Some(first), "the first key stays");
}

/// Of many who add a key of one id at once, one does.
pub async fn one_of_many_adds_a_server_key<F: AccountStoreFixture>(f: &F) {
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (store, key) = (f.account_store(), key("same", &n.to_string()));
            tokio::spawn(async move { store.add_server_key(&key).await.map(|added| added.then_some(key)) })
        })
        .collect();
    let mut added = Vec::new();
    for task in tasks {
        added.extend(task.await.expect("no panic").expect("add_server_key answers"));
    }
    assert_eq!(added.len(), 1, "one of 8 adds the key");
    let found = f.account_store().server_key(&added[0].id).await.expect("server_key answers");
    assert_eq!(found.as_ref(), added.first(), "and that is the one that is kept");
}

/// A key that was taken away is gone, once; its id is free again.
pub async fn a_removed_server_key_is_gone<F: AccountStoreFixture>(f: &F) {
    let (store, one, two) = (f.account_store(), key("one", "1"), key("two", "2"));
    for key in [&one, &two] {
        assert!(store.add_server_key(key).await.expect("add_server_key answers"));
    }
    let remove = async |id| store.remove_server_key(id).await.expect("remove_server_key answers");
    assert!(remove(&one.id).await, "it was there");
    assert!(!remove(&one.id).await, "it no longer is");
    assert_eq!(store.server_key(&one.id).await.expect("server_key answers"), None, "a removed key is not found");
    assert_eq!(store.server_key(&two.id).await.expect("server_key answers"), Some(two), "others stay");
    let again = key("one", "another");
    assert!(store.add_server_key(&again).await.expect("add_server_key answers"), "the id is free again");
    assert_eq!(store.server_key(&one.id).await.expect("server_key answers"), Some(again));
}

/// All keys are listed whole, sorted by their names; a removed one no longer is.
pub async fn server_keys_are_listed<F: AccountStoreFixture>(f: &F) {
    let list = async || f.account_store().server_keys().await.expect("server_keys answers");
    assert_eq!(list().await, [], "there are none");
    let signing = ServerKey { credential: ServerCredential::PublicKey([7; 32]), ..key("b-signs", "") };
    let keys = [key("a", "1"), signing, key("c", "3")];
    let store = f.account_store();
    for at in [2, 0, 1] {
        assert!(store.add_server_key(&keys[at]).await.expect("add_server_key answers"));
    }
    assert_eq!(list().await, keys);
    assert!(store.remove_server_key(&keys[0].id).await.expect("remove_server_key answers"));
    assert_eq!(list().await, keys[1..]);
}
