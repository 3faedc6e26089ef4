//! Users and their passwords.

use std::collections::HashMap;

use crate::accounts::{CreateUser, DisplayName, Email, PasswordHash, ReplaceEmail, Role, User};
use crate::testing::fixture::AccountStoreFixture;
use crate::testing::play::{at, user};

fn email(text: &str) -> Email {
    Email::new(text).expect("the suite's addresses are valid")
}

/// The account of a number: all its fields tell it from others.
fn account(number: u64) -> User {
    User {
        id: user(number),
        email: email(&format!("user-{number}@example.org")),
        display_name: DisplayName::new(&format!("Üser 'n' {number} 🏁")).expect("a valid name"),
        roles: if number.is_multiple_of(2) { vec![Role::User, Role::Moderator] } else { vec![Role::User] },
        created_at: at(i64::try_from(number).expect("small")),
    }
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1${text}$'\""))
}

async fn create<F: AccountStoreFixture>(f: &F, numbers: &[u64]) {
    for number in numbers {
        let password = hash(&number.to_string());
        let created = f.account_store().create_user(&account(*number), &password).await.expect("create_user answers");
        assert_eq!(created, CreateUser::Created, "user {number} is new");
    }
}

/// A user is kept whole, and found by id and by address.
pub async fn a_user_is_kept_whole<F: AccountStoreFixture>(f: &F) {
    create(f, &[1, 2]).await;
    let store = f.account_store();
    for number in [1, 2] {
        let expected = account(number);
        assert_eq!(store.user(expected.id).await.expect("user answers"), Some(expected.clone()), "by id");
        let found = store.user_with_password(expected.id).await.expect("user_with_password answers");
        assert_eq!(found, Some((expected.clone(), hash(&number.to_string()))), "by id, with the password's hash");
        let found = store.user_by_email(&expected.email).await.expect("user_by_email answers");
        assert_eq!(found, Some((expected, hash(&number.to_string()))), "by address, with the password's hash");
    }
}

/// Of who has no account, nothing is known, and nothing is changed.
pub async fn an_unknown_user_is_answered_as_such<F: AccountStoreFixture>(f: &F) {
    create(f, &[1]).await;
    let store = f.account_store();
    assert_eq!(store.user(user(9)).await.expect("user answers"), None);
    assert_eq!(store.user_with_password(user(9)).await.expect("user_with_password answers"), None);
    let found = store.user_by_email(&email("user-9@example.org")).await.expect("user_by_email answers");
    assert_eq!(found, None, "nobody has this address");
    let replaced = store.replace_password(user(9), &hash("1"), &hash("2")).await.expect("replace_password answers");
    assert!(!replaced, "nobody has a password to replace");
    assert!(
        !store.set_roles(user(9), &[], &[Role::Admin]).await.expect("set_roles answers"),
        "nobody has roles to set"
    );
    assert_eq!(store.users(None, 10).await.expect("users answers").len(), 1, "none of it makes an account");
}

/// An address has one account, however it is spelled.
pub async fn an_address_has_one_account<F: AccountStoreFixture>(f: &F) {
    create(f, &[1]).await;
    let store = f.account_store();
    let other = User { email: email("USER-1@Example.ORG"), ..account(2) };
    let created = store.create_user(&other, &hash("other")).await.expect("create_user answers");
    assert_eq!(created, CreateUser::EmailTaken, "addresses are kept in lower case");
    assert_eq!(store.user(other.id).await.expect("user answers"), None, "no second account is made");
    let found = store.user_by_email(&other.email).await.expect("user_by_email answers");
    assert_eq!(found, Some((account(1), hash("1"))), "the first account stays as it is");
}

/// An id has one account.
pub async fn an_id_has_one_account<F: AccountStoreFixture>(f: &F) {
    create(f, &[1]).await;
    let store = f.account_store();
    let other = User { id: user(1), ..account(2) };
    let created = store.create_user(&other, &hash("other")).await.expect("create_user answers");
    assert_eq!(created, CreateUser::IdTaken, "the id has an account");
    assert_eq!(store.user(user(1)).await.expect("user answers"), Some(account(1)), "the first account stays as it is");
    let found = store.user_by_email(&other.email).await.expect("user_by_email answers");
    assert_eq!(found, None, "the address is still free");
}

/// Of many who register one address at once, one gets it.
pub async fn one_of_many_gets_an_address<F: AccountStoreFixture>(f: &F) {
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let store = f.account_store();
            let user = User { email: email("same@example.org"), ..account(number) };
            tokio::spawn(async move { store.create_user(&user, &hash("same")).await })
        })
        .collect();
    let mut created = Vec::new();
    for task in tasks {
        created.push(task.await.expect("create_user does not panic").expect("create_user answers"));
    }
    let winners = created.iter().filter(|outcome| **outcome == CreateUser::Created).count();
    let others = created.iter().filter(|outcome| **outcome == CreateUser::EmailTaken).count();
    assert_eq!((winners, others), (1, 7), "one of 8 gets the address, the others are told");
    assert_eq!(f.account_store().users(None, 10).await.expect("users answers").len(), 1, "one account is made");
}

/// A password is replaced only while it is the one that the caller saw.
pub async fn a_password_is_replaced_if_it_is_the_old_one<F: AccountStoreFixture>(f: &F) {
    create(f, &[1, 2]).await;
    let store = f.account_store();
    let replace = async |old: &str, new: &str| {
        store.replace_password(user(1), &hash(old), &hash(new)).await.expect("replace_password answers")
    };
    assert!(!replace("wrong", "new").await, "it is not `wrong`");
    assert!(replace("1", "new").await, "it was the one");
    assert!(!replace("1", "newer").await, "it no longer is");
    for (number, expected) in [(1, "new"), (2, "2")] {
        let found = store.user_by_email(&account(number).email).await.expect("user_by_email answers");
        assert_eq!(found, Some((account(number), hash(expected))), "user {number} has their own password");
    }
}

/// Of many who replace one password at once, one does.
pub async fn one_of_many_replaces_a_password<F: AccountStoreFixture>(f: &F) {
    create(f, &[1]).await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = f.account_store();
            tokio::spawn(async move { store.replace_password(user(1), &hash("1"), &hash(&format!("new {n}"))).await })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.expect("no panic").expect("replace_password answers"));
    }
    assert_eq!(winners, 1, "one of 8 replaces the old password");
}

/// Roles are replaced whole; `user` is always among them; they come sorted, each once.
pub async fn roles_are_set<F: AccountStoreFixture>(f: &F) {
    create(f, &[1, 2]).await;
    let store = f.account_store();
    let cases: [(&[Role], &[Role]); 4] = [
        (&[Role::Admin, Role::Moderator], &[Role::User, Role::Moderator, Role::Admin]),
        (&[Role::Admin, Role::User, Role::Admin], &[Role::User, Role::Admin]),
        (&[Role::User, Role::Moderator], &[Role::User, Role::Moderator]),
        (&[], &[Role::User]),
    ];
    let mut held = Vec::new();
    for (set, expected) in cases {
        for _ in 0..2 {
            assert!(store.set_roles(user(1), &held, set).await.expect("set_roles answers"), "user 1 has an account");
            let found = store.user(user(1)).await.expect("user answers").expect("user 1 is there");
            assert_eq!(found.roles, expected, "roles after setting {set:?}");
        }
        held = expected.to_vec();
    }
    assert_eq!(store.user(user(2)).await.expect("user answers"), Some(account(2)), "others keep their roles");
}

/// Roles that somebody else has changed meanwhile stay as they are.
pub async fn roles_that_changed_meanwhile_stay<F: AccountStoreFixture>(f: &F) {
    create(f, &[1]).await;
    let store = f.account_store();
    let set = async |from: &[Role], to: &[Role]| store.set_roles(user(1), from, to).await.expect("set_roles answers");
    assert!(set(&[Role::User], &[Role::Moderator]).await, "they were what was read");
    assert!(!set(&[Role::User], &[Role::Admin]).await, "they are others by now");
    let found = store.user(user(1)).await.expect("user answers").expect("user 1 is there");
    assert_eq!(found.roles, [Role::User, Role::Moderator], "nothing was set");
}

/// Users are listed in the order of ids with the hashes of their passwords, page by page.
pub async fn users_are_listed_by_id<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    assert_eq!(store.users(None, 10).await.expect("users answers"), [], "a fresh store has no users");
    create(f, &[5, 300, 1, 70_000, 2, 4]).await;
    let expected = [1, 2, 4, 5, 300, 70_000].map(|number: u64| (account(number), hash(&number.to_string())));
    for limit in [1, 4, 100] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let users = store.users(after, limit).await.expect("users answers");
            assert!(users.len() <= limit, "at most {limit} users");
            let Some((last, _)) = users.last() else { break };
            after = Some(last.id);
            seen.extend(users);
        }
        assert_eq!(seen, expected, "by {limit}: without a gap or double");
    }
}

/// The names of those who have an account are given, in one answer, however often they are asked for.
pub async fn names_of_known_users_are_given<F: AccountStoreFixture>(f: &F) {
    create(f, &[1, 2, 3]).await;
    let names = f.account_store().display_names(&[3, 9, 1, 3].map(user)).await.expect("display_names answers");
    let expected = [1, 3].map(|number| (user(number), account(number).display_name.as_str().to_owned()));
    assert_eq!(names, HashMap::from(expected), "the names of users 1 and 3; 9 has no account");
    let names = f.account_store().display_names(&[]).await.expect("display_names answers");
    assert_eq!(names, HashMap::new(), "nobody has no names");
}

/// An address is confirmed if it is the user's: the first moment is kept, and other users are not meant.
pub async fn an_address_is_confirmed_once<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    create(f, &[1, 2]).await;
    let [one, two] = [1, 2].map(account);
    let confirm = async |id, email: &Email, millis| {
        store.confirm_email(id, email, at(millis)).await.expect("confirm_email answers")
    };
    let confirmed = async |id| store.email_confirmed_at(id).await.expect("email_confirmed_at answers");
    assert_eq!(confirmed(one.id).await, None, "nobody has shown it yet");
    assert!(!confirm(one.id, &two.email, 10).await, "it is another's");
    assert_eq!((confirmed(one.id).await, confirmed(two.id).await), (None, None), "nothing was changed");
    assert!(confirm(one.id, &one.email, 20).await, "it is theirs");
    assert!(confirm(one.id, &one.email, 30).await, "a repeat is answered too");
    assert_eq!(confirmed(one.id).await, Some(at(20)), "the first moment is kept");
    assert_eq!(confirmed(two.id).await, None, "another was not meant");
    assert!(!confirm(user(77), &one.email, 40).await, "there is no such user");
    assert_eq!(confirmed(user(77)).await, None);
}

/// An address is replaced only while it is the one that the caller saw, by one that nobody has, and is confirmed with it.
pub async fn an_address_is_replaced_if_it_is_the_old_one<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    create(f, &[1, 2]).await;
    let [one, two] = [1, 2].map(account);
    let new = email("new@example.org");
    let replace = async |id, from: &Email, to: &Email, millis| {
        store.replace_email(id, from, to, at(millis)).await.expect("replace_email answers")
    };
    let confirmed = async |id| store.email_confirmed_at(id).await.expect("email_confirmed_at answers");
    assert!(store.confirm_email(one.id, &one.email, at(5)).await.expect("confirm_email answers"));
    assert_eq!(replace(one.id, &new, &email("newer@example.org"), 10).await, ReplaceEmail::NotTheirs, "it is not that");
    assert_eq!(replace(one.id, &two.email, &new, 10).await, ReplaceEmail::NotTheirs, "it is another's");
    assert_eq!(replace(user(77), &one.email, &new, 10).await, ReplaceEmail::NotTheirs, "there is no such user");
    assert_eq!(replace(one.id, &one.email, &two.email, 10).await, ReplaceEmail::EmailTaken, "another has it");
    for known in [&one, &two] {
        let found = store.user_by_email(&known.email).await.expect("user_by_email answers");
        assert_eq!(found.map(|(user, _)| user).as_ref(), Some(known), "nothing was changed");
    }
    assert_eq!((confirmed(one.id).await, confirmed(two.id).await), (Some(at(5)), None), "and nothing confirmed");

    assert_eq!(replace(one.id, &one.email, &new, 20).await, ReplaceEmail::Replaced);
    let moved = User { email: new.clone(), ..one.clone() };
    assert_eq!(store.user(one.id).await.expect("user answers"), Some(moved.clone()));
    let found = store.user_by_email(&new).await.expect("user_by_email answers");
    assert_eq!(found, Some((moved, hash("1"))), "by the new address, with the password that there was");
    assert_eq!(store.user_by_email(&one.email).await.expect("user_by_email answers"), None, "the old one is nobody's");
    assert_eq!((confirmed(one.id).await, confirmed(two.id).await), (Some(at(20)), None), "this one is confirmed");
    assert_eq!(replace(two.id, &two.email, &one.email, 30).await, ReplaceEmail::Replaced, "what was given up is free");
}

/// Of many who are given one address at once, one has it.
pub async fn one_of_many_is_given_an_address<F: AccountStoreFixture>(f: &F) {
    create(f, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let (store, user) = (f.account_store(), account(number));
            tokio::spawn(
                async move { store.replace_email(user.id, &user.email, &email("same@example.org"), at(10)).await },
            )
        })
        .collect();
    let mut replaced = Vec::new();
    for task in tasks {
        replaced.push(task.await.expect("replace_email does not panic").expect("replace_email answers"));
    }
    let winners = replaced.iter().filter(|outcome| **outcome == ReplaceEmail::Replaced).count();
    let others = replaced.iter().filter(|outcome| **outcome == ReplaceEmail::EmailTaken).count();
    assert_eq!((winners, others), (1, 7), "one of 8 has the address, the others keep theirs");
}
