//! Who has an account.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;

use super::MemoryAccountStore;
use crate::accounts::{CreateUser, Email, PasswordHash, ReplaceEmail, Role, User, UserStore};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::UserId;
use crate::names::DisplayNames;

#[derive(Default)]
pub(super) struct Users {
    accounts: BTreeMap<UserId, (User, PasswordHash)>,
    ids: HashMap<Email, UserId>,
    confirmed: HashMap<UserId, Timestamp>,
}

/// `user` among them, sorted, each once.
fn held(roles: &[Role]) -> Vec<Role> {
    let mut roles = roles.to_vec();
    roles.push(Role::User);
    roles.sort_unstable();
    roles.dedup();
    roles
}

#[async_trait]
impl UserStore for MemoryAccountStore {
    async fn create_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, BackendError> {
        let mut users = self.users.lock();
        if users.ids.contains_key(&user.email) {
            return Ok(CreateUser::EmailTaken);
        }
        if users.accounts.contains_key(&user.id) {
            return Ok(CreateUser::IdTaken);
        }
        let account = User { roles: held(&user.roles), ..user.clone() };
        users.ids.insert(user.email.clone(), user.id);
        users.accounts.insert(user.id, (account, password.clone()));
        Ok(CreateUser::Created)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, BackendError> {
        Ok(self.users.lock().accounts.get(&id).map(|(user, _)| user.clone()))
    }

    async fn user_with_password(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, BackendError> {
        Ok(self.users.lock().accounts.get(&id).cloned())
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, BackendError> {
        let users = self.users.lock();
        Ok(users.ids.get(email).and_then(|id| users.accounts.get(id)).cloned())
    }

    async fn replace_password(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, BackendError> {
        Ok(match self.users.lock().accounts.get_mut(&id) {
            Some((_, password)) if password == old => {
                *password = new.clone();
                true
            }
            _ => false,
        })
    }

    async fn set_roles(&self, id: UserId, from: &[Role], to: &[Role]) -> Result<bool, BackendError> {
        let to = held(to);
        Ok(match self.users.lock().accounts.get_mut(&id) {
            Some((user, _)) if user.roles == held(from) || user.roles == to => {
                user.roles = to;
                true
            }
            _ => false,
        })
    }

    async fn confirm_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<bool, BackendError> {
        let mut users = self.users.lock();
        let is_theirs = users.accounts.get(&id).is_some_and(|(user, _)| user.email == *email);
        if is_theirs {
            users.confirmed.entry(id).or_insert(at);
        }
        Ok(is_theirs)
    }

    async fn replace_email(
        &self,
        id: UserId,
        from: &Email,
        to: &Email,
        at: Timestamp,
    ) -> Result<ReplaceEmail, BackendError> {
        let mut users = self.users.lock();
        let Users { accounts, ids, confirmed } = &mut *users;
        let Some((user, _)) = accounts.get_mut(&id).filter(|(user, _)| user.email == *from) else {
            return Ok(ReplaceEmail::NotTheirs);
        };
        if ids.contains_key(to) {
            return Ok(ReplaceEmail::EmailTaken);
        }
        ids.remove(from);
        ids.insert(to.clone(), id);
        user.email = to.clone();
        confirmed.insert(id, at);
        Ok(ReplaceEmail::Replaced)
    }

    async fn email_confirmed_at(&self, id: UserId) -> Result<Option<Timestamp>, BackendError> {
        Ok(self.users.lock().confirmed.get(&id).copied())
    }

    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<(User, PasswordHash)>, BackendError> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        Ok(self.users.lock().accounts.range(behind).take(limit).map(|(_, account)| account.clone()).collect())
    }
}

#[async_trait]
impl DisplayNames for MemoryAccountStore {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        let known = self.users.lock();
        let name = |id: &UserId| known.accounts.get(id).map(|(user, _)| (*id, user.display_name.as_str().to_owned()));
        Ok(users.iter().filter_map(name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::DisplayName;
    use crate::clock::Timestamp;

    fn user(n: u8, email: &str) -> User {
        User {
            id: UserId::from_bytes([n; 16]),
            email: email.parse().unwrap(),
            display_name: DisplayName::new(&format!("user {n}")).unwrap(),
            roles: vec![Role::User],
            created_at: Timestamp::from_millis(0),
        }
    }

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::new(text)
    }

    #[tokio::test]
    async fn an_address_and_an_id_have_one_account() {
        let store = MemoryAccountStore::new();
        assert_eq!(store.create_user(&user(1, "a@b.c"), &hash("1")).await.unwrap(), CreateUser::Created);
        assert_eq!(store.create_user(&user(2, "A@b.c"), &hash("2")).await.unwrap(), CreateUser::EmailTaken);
        assert_eq!(store.create_user(&user(1, "d@b.c"), &hash("2")).await.unwrap(), CreateUser::IdTaken);
        let (found, password) = store.user_by_email(&"a@B.C".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((found, password), (user(1, "a@b.c"), hash("1")));
        assert_eq!(store.user_by_email(&"d@b.c".parse().unwrap()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_password_is_replaced_only_if_it_is_still_the_old_one() {
        let store = MemoryAccountStore::new();
        let id = user(1, "a@b.c").id;
        assert_eq!(store.create_user(&user(1, "a@b.c"), &hash("1")).await.unwrap(), CreateUser::Created);
        assert!(store.replace_password(id, &hash("1"), &hash("2")).await.unwrap());
        assert!(!store.replace_password(id, &hash("1"), &hash("3")).await.unwrap());
        assert!(!store.replace_password(UserId::from_bytes([9; 16]), &hash("1"), &hash("3")).await.unwrap());
        assert_eq!(store.users(None, 9).await.unwrap()[0].1, hash("2"));
    }

    #[tokio::test]
    async fn roles_are_sorted_and_always_hold_user() {
        let store = MemoryAccountStore::new();
        let id = user(1, "a@b.c").id;
        assert!(!store.set_roles(id, &[], &[Role::Admin]).await.unwrap());
        assert_eq!(store.create_user(&user(1, "a@b.c"), &hash("1")).await.unwrap(), CreateUser::Created);
        assert!(store.set_roles(id, &[], &[Role::Admin, Role::Moderator, Role::Admin]).await.unwrap());
        assert_eq!(store.user(id).await.unwrap().unwrap().roles, [Role::User, Role::Moderator, Role::Admin]);
    }

    #[tokio::test]
    async fn users_are_walked_in_the_order_of_ids_and_named_at_once() {
        let store = MemoryAccountStore::new();
        for n in [3, 1, 2] {
            let made = store.create_user(&user(n, &format!("{n}@b.c")), &hash("1")).await.unwrap();
            assert_eq!(made, CreateUser::Created);
        }
        let ids = |users: Vec<(User, PasswordHash)>| users.iter().map(|u| u.0.id.as_bytes()[0]).collect::<Vec<_>>();
        assert_eq!(ids(store.users(None, 2).await.unwrap()), [1, 2]);
        assert_eq!(ids(store.users(Some(user(2, "2@b.c").id), 2).await.unwrap()), [3]);
        let asked = [user(3, "3@b.c").id, UserId::from_bytes([9; 16])];
        let names = store.display_names(&asked).await.unwrap();
        assert_eq!(names, HashMap::from([(asked[0], "user 3".to_owned())]));
    }
}
