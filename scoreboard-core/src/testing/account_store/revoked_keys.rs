//! Which signing keys were revoked.

use crate::ids::KeyId;
use crate::testing::fixture::AccountStoreFixture;
use crate::testing::play::at;

/// A key is revoked once and for ever, and all that were are listed in order.
pub async fn revoked_keys_are_listed<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    let [one, two] = ["k20260101-00000001", "k20260101-00000002"].map(|id| KeyId::new(id).expect("a slug"));
    let revoke = async |id| store.revoke_key(id, at(5)).await.expect("revoke_key answers");
    let revoked = async || store.revoked_keys().await.expect("revoked_keys answers");
    assert_eq!(revoked().await, [], "none was revoked");
    assert!(revoke(&two).await, "the first time");
    assert!(!revoke(&two).await, "the second time");
    assert_eq!(revoked().await, std::slice::from_ref(&two));
    assert!(revoke(&one).await);
    assert_eq!(revoked().await, [one, two], "sorted");
}
