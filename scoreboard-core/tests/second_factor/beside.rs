//! Logins and changes that are under way while something else happens, or that are killed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use parking_lot::Mutex;
use scoreboard_core::accounts::{
    AccountError, AccountsConfig, FactorMethod, Hashing, Login, MessageKind, PendingLogin, Role, UserStore,
};
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{Clock, Timestamp};
use tokio::sync::oneshot;

use crate::world::{ADA, PASSWORD, World, builder, is_unauthorized};

#[tokio::test]
async fn who_is_half_in_is_out_once_the_password_is_another() {
    let world = World::new().await;
    let (secret, codes, principal) = world.enrol().await;
    world.accounts.confirm_address(&world.mail.token(MessageKind::ConfirmAddress)).await.unwrap();
    // By who knows the old one, and by who reads the mail.
    let before = [world.waiting().await, world.waiting().await];
    world.accounts.send_code(&before[0].challenge_id, FactorMethod::Email).await.unwrap();
    let sent = world.mail.code();
    let second = "another horse battery staple";
    world.accounts.change_password(&principal, PASSWORD.to_owned(), second.to_owned()).await.unwrap();
    let between = match world.accounts.login(ADA, second.to_owned()).await.unwrap() {
        Login::SecondFactor(waiting) => waiting,
        Login::SignedIn(_) => panic!("a second factor is asked for"),
    };
    let refused = async |waiting: &PendingLogin| {
        assert!(is_unauthorized(world.complete(waiting, FactorMethod::Totp, &world.code(&secret)).await));
        assert!(is_unauthorized(world.complete(waiting, FactorMethod::RecoveryCode, &codes[0]).await));
        assert!(is_unauthorized(world.accounts.send_code(&waiting.challenge_id, FactorMethod::Email).await));
    };
    refused(&before[1]).await;
    assert!(is_unauthorized(world.complete(&before[0], FactorMethod::Email, &sent).await), "what was sent is void too");
    world.accounts.forgot_password(ADA).await.unwrap();
    let token = world.mail.token(MessageKind::PasswordReset);
    world.accounts.reset_password(&token, PASSWORD.to_owned()).await.unwrap();
    refused(&between).await;
    let waiting = world.waiting().await;
    assert!(world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.is_ok(), "nothing was used up");
}

#[tokio::test]
async fn sessions_without_the_factor_end_when_it_is_in_force() {
    let world = World::new().await;
    world.store.set_roles(world.ada.id, &[Role::User], &[Role::User, Role::Admin]).await.unwrap();
    // Somebody who knows the password, and waits for its user to set a factor up.
    let eve = world.signed_in().await;
    let (_, _, principal) = world.enrol().await;
    assert!(is_unauthorized(world.accounts.refresh(&eve.refresh_token).await), "or hers would be whole by it");
    assert!(is_unauthorized(world.accounts.authenticate_enrolling(&eve.token)));
    let left = world.accounts.sessions(&principal).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [principal.session_id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_beside_an_enrolment_is_none() {
    let world = World::new().await;
    let principal = world.principal().await;
    let secret = world.accounts.begin_totp(&principal, None).await.unwrap().secret;
    let enrol = async {
        world.accounts.confirm_totp(&principal, &world.code(&secret)).await.unwrap();
    };
    let login = login_beside(&world, enrol).await;
    assert!(matches!(login, Err(AccountError::Busy)), "it had seen no factor: {login:?}");
    assert_eq!(world.accounts.sessions(&principal).await.unwrap().len(), 1);
    assert!(matches!(world.login().await, Login::SecondFactor(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_beside_another_password_is_none() {
    let world = World::new().await;
    let principal = world.principal().await;
    let change = async {
        let new = "another horse battery staple".to_owned();
        world.accounts.change_password(&principal, PASSWORD.to_owned(), new).await.unwrap();
    };
    let login = login_beside(&world, change).await;
    assert!(matches!(login, Err(AccountError::Busy)), "it had seen the old one: {login:?}");
    assert_eq!(world.accounts.sessions(&principal).await.unwrap().len(), 1);
    assert!(is_unauthorized(world.accounts.login(ADA, PASSWORD.to_owned()).await));
}

/// A clock at which a login stops, behind all that it looks at, until it is told to go on.
#[derive(Debug)]
struct Pausing {
    clock: ManualClock,
    paused: Mutex<Option<(oneshot::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Clock for Pausing {
    fn now(&self) -> Timestamp {
        if let Some((reached, go_on)) = self.paused.lock().take() {
            reached.send(()).unwrap();
            go_on.recv().unwrap();
        }
        self.clock.now()
    }
}

/// Does something in the midst of a login that has seen the password and the factor as they were before.
async fn login_beside(world: &World, act: impl Future<Output = ()>) -> Result<Login, AccountError> {
    let (reached, is_reached) = oneshot::channel();
    let (go_on, paused) = mpsc::channel();
    let clock = Pausing { clock: world.clock.clone(), paused: Mutex::new(Some((reached, paused))) };
    let mut config = AccountsConfig::default();
    config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
    let eve = builder(&world.store, &world.clock, &[1]).with_clock(Arc::new(clock)).with_config(config).build();
    let login = tokio::spawn(async move { eve.login(ADA, PASSWORD.to_owned()).await });
    is_reached.await.unwrap();
    act.await;
    go_on.send(()).unwrap();
    login.await.unwrap()
}

/// A clock at which a process dies when it is asked for the so-many-th time.
#[derive(Debug)]
struct Dying {
    clock: ManualClock,
    left: AtomicUsize,
}

impl Clock for Dying {
    fn now(&self) -> Timestamp {
        let left = self.left.load(Ordering::Relaxed).checked_sub(1).expect("it dies here");
        self.left.store(left, Ordering::Relaxed);
        self.clock.now()
    }
}

#[tokio::test]
async fn whatever_is_killed_leaves_no_session_of_the_old_password_beside_the_new_one() {
    let new = "another horse battery staple";
    for by_mail in [false, true] {
        let (mut died, mut lived) = (0, false);
        while !lived {
            let world = World::new().await;
            let (here, eve) = (world.principal().await, world.signed_in().await);
            world.accounts.forgot_password(ADA).await.unwrap();
            let token = world.mail.token(MessageKind::PasswordReset);
            let clock = Dying { clock: world.clock.clone(), left: AtomicUsize::new(died) };
            let mut config = AccountsConfig::default();
            config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
            let dying =
                builder(&world.store, &world.clock, &[1]).with_clock(Arc::new(clock)).with_config(config).build();
            let changed = tokio::spawn(async move {
                if by_mail {
                    dying.reset_password(&token, new.to_owned()).await
                } else {
                    dying.change_password(&here, PASSWORD.to_owned(), new.to_owned()).await
                }
            });
            lived = changed.await.is_ok();
            died += 1;
            let is_new = world.accounts.login(ADA, new.to_owned()).await.is_ok();
            assert!(is_new || !lived);
            if is_new {
                assert!(is_unauthorized(world.accounts.refresh(&eve.refresh_token).await), "{by_mail}, {died}");
            }
        }
        assert!(died > 2, "it can die before and after");
    }
}

#[tokio::test]
async fn who_decides_about_others_has_a_factor_whatever_their_token_says() {
    let world = World::new().await;
    let before = world.signed_in().await;
    assert!(!before.must_enrol);
    assert_eq!(world.accounts.roles(world.ada.id).await.unwrap(), [Role::User]);
    world.store.set_roles(world.ada.id, &[Role::User], &[Role::User, Role::Moderator]).await.unwrap();
    assert!(world.accounts.authenticate(&before.token).is_ok(), "the token is older than the role");
    assert!(matches!(world.accounts.roles(world.ada.id).await, Err(AccountError::FactorRequired)));
    let (secret, _, principal) = world.enrol().await;
    assert!(world.accounts.roles(world.ada.id).await.unwrap().contains(&Role::Moderator));
    world.accounts.remove_factor(&principal, &world.code(&secret)).await.unwrap();
    assert!(matches!(world.accounts.roles(world.ada.id).await, Err(AccountError::FactorRequired)), "it was given up");
}
