//! Second factors over the store in memory and a clock that is set by hand.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do, its test cannot either")]

mod beside;
mod by_mail;
mod possession;
mod world;

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{
    AccountError, Accounts, AccountsConfig, FactorMethod, FactorStore, Login, MessageKind, PendingLogin, Registration,
    Role, SignedIn, UserStore,
};
use world::{ADA, PASSWORD, STEP, World, builder, is_unauthorized, ring};

#[tokio::test]
async fn a_login_with_an_app_takes_two_steps() {
    let world = World::new().await;
    let principal = world.principal().await;
    let begun = world.accounts.begin_totp(&principal, None).await.unwrap();
    assert!(begun.uri.starts_with("otpauth://totp/scoreboard:ada%40example.org?secret="), "{}", begun.uri);
    assert!(!format!("{begun:?}").contains(&begun.secret), "no secret in a log");
    assert!(world.login().await.signed_in().is_some(), "what is only begun is not asked for");
    assert!(matches!(world.accounts.confirm_totp(&principal, "000000").await, Err(AccountError::WrongCode)));
    let codes = world.accounts.confirm_totp(&principal, &world.code(&begun.secret)).await.unwrap();
    assert_eq!(codes.len(), 10);
    assert_eq!(world.mail.number(MessageKind::FactorAdded), 1, "the user is told");

    let waiting = world.waiting().await;
    assert_eq!(waiting.methods, [FactorMethod::Totp, FactorMethod::RecoveryCode, FactorMethod::Sms]);
    let code = world.code(&begun.secret);
    assert!(
        is_unauthorized(world.complete(&waiting, FactorMethod::Totp, &code).await),
        "it counted at the confirmation"
    );
    world.clock.advance(STEP);
    let signed_in = world.complete(&waiting, FactorMethod::Totp, &world.code(&begun.secret)).await.unwrap();
    assert_eq!(signed_in.user.id, world.ada.id);
    assert!(world.accounts.authenticate(&signed_in.token).is_ok());
    assert!(
        is_unauthorized(world.complete(&waiting, FactorMethod::Totp, &world.code(&begun.secret)).await),
        "it is completed"
    );
    let again = world.waiting().await;
    let code = world.code(&begun.secret);
    assert!(is_unauthorized(world.complete(&again, FactorMethod::Totp, &code).await), "a code counts once");
}

#[tokio::test]
async fn of_many_who_show_one_code_at_once_one_gets_in() {
    let world = World::new().await;
    let (secret, codes, _) = world.enrol().await;
    for (method, code) in [(FactorMethod::Totp, world.code(&secret)), (FactorMethod::RecoveryCode, codes[0].clone())] {
        let mut tries = Vec::new();
        for _ in 0..8 {
            let waiting = world.waiting().await;
            let (accounts, code) = (world.accounts.clone(), code.clone());
            tries
                .push(tokio::spawn(async move { accounts.complete_login(&waiting.challenge_id, method, &code).await }));
        }
        let mut let_in = 0;
        for task in tries {
            let_in += usize::from(task.await.unwrap().is_ok());
        }
        assert_eq!(let_in, 1, "{method:?}");
    }
}

#[tokio::test]
async fn a_challenge_takes_five_tries_and_ten_minutes() {
    let world = World::new().await;
    let (secret, ..) = world.enrol().await;
    let waiting = world.waiting().await;
    for _ in 0..5 {
        assert!(is_unauthorized(world.complete(&waiting, FactorMethod::Totp, "000000").await));
    }
    assert!(
        is_unauthorized(world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await),
        "a right one too"
    );
    let waiting = world.waiting().await;
    world.clock.advance(Duration::from_secs(600));
    assert!(is_unauthorized(world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await), "it is over");
    let unknown = PendingLogin { challenge_id: "unknown".to_owned(), ..waiting };
    assert!(is_unauthorized(world.complete(&unknown, FactorMethod::Totp, &world.code(&secret)).await));
}

#[tokio::test]
async fn ten_wrong_codes_a_day_are_looked_at_and_a_recovery_code_still_works() {
    let world = World::new().await;
    let (secret, codes, _) = world.enrol().await;
    let (mut wrong, mut refused) = (0, 0);
    for _ in 0..6 {
        let waiting = world.waiting().await;
        for _ in 0..5 {
            match world.complete(&waiting, FactorMethod::Totp, "000000").await {
                Err(AccountError::Unauthorized) => wrong += 1,
                Err(AccountError::TooManyCodes(wait)) => {
                    assert!(wait <= Duration::from_secs(86_400));
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((wrong, refused), (10, 20));
    let waiting = world.waiting().await;
    let right = world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await;
    assert!(matches!(right, Err(AccountError::TooManyCodes(_))), "a right one is not looked at either");
    let typed = codes[0].to_lowercase();
    assert!(world.complete(&waiting, FactorMethod::RecoveryCode, &typed).await.is_ok());
    assert_eq!(world.mail.number(MessageKind::RecoveryCodeUsed), 1);
    let waiting = world.waiting().await;
    assert!(is_unauthorized(world.complete(&waiting, FactorMethod::RecoveryCode, &codes[0]).await), "each works once");
    world.clock.advance(Duration::from_secs(86_400));
    let waiting = world.waiting().await;
    assert!(world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.is_ok(), "the next day");
}

#[tokio::test]
async fn an_app_is_set_up_by_who_is_surely_there() {
    let world = World::new().await;
    let principal = world.principal().await;
    world.clock.advance(Duration::from_secs(15 * 60 + 1));
    assert!(matches!(world.accounts.begin_totp(&principal, None).await, Err(AccountError::Stale)));
    let wrong = world.accounts.begin_totp(&principal, Some("wrong".to_owned())).await;
    assert!(matches!(wrong, Err(AccountError::WrongPassword)));
    let first = world.accounts.begin_totp(&principal, Some(PASSWORD.to_owned())).await.unwrap();
    let second = world.accounts.begin_totp(&principal, Some(PASSWORD.to_owned())).await.unwrap();
    let void = world.accounts.confirm_totp(&principal, &world.code(&first.secret)).await;
    assert!(matches!(void, Err(AccountError::WrongCode)), "the secret before is void");
    world.accounts.confirm_totp(&principal, &world.code(&second.secret)).await.unwrap();
    let again = world.accounts.begin_totp(&principal, Some(PASSWORD.to_owned())).await;
    assert!(matches!(again, Err(AccountError::FactorActive)));
    let again = world.accounts.confirm_totp(&principal, &world.code(&second.secret)).await;
    assert!(matches!(again, Err(AccountError::FactorActive)));
}

#[tokio::test]
async fn a_factor_is_given_up_by_a_code() {
    let world = World::new().await;
    let (secret, codes, principal) = world.enrol().await;
    assert!(matches!(world.accounts.remove_factor(&principal, "000000").await, Err(AccountError::WrongCode)));
    let renewed = world.accounts.renew_recovery_codes(&principal, &codes[1]).await.unwrap();
    assert_eq!(world.mail.number(MessageKind::RecoveryCodesRenewed), 1, "the user is told");
    assert!(matches!(world.accounts.remove_factor(&principal, &codes[2]).await, Err(AccountError::WrongCode)), "void");
    assert_eq!(world.accounts.factor_status(&principal).await.unwrap().recovery_codes_left, 10);
    world.accounts.remove_factor(&principal, &renewed[0]).await.unwrap();
    assert!(world.login().await.signed_in().is_some(), "it is not asked for any more");
    let removed = world.accounts.remove_factor(&principal, &world.code(&secret)).await;
    assert!(matches!(removed, Err(AccountError::FactorMissing)));
    assert_eq!(world.mail.number(MessageKind::FactorRemoved), 1);
}

#[tokio::test]
async fn an_admin_or_a_moderator_without_a_factor_may_only_set_one_up() {
    for role in [Role::Admin, Role::Moderator] {
        may_only_set_one_up(role).await;
    }
}

async fn may_only_set_one_up(role: Role) {
    let world = World::new().await;
    world.store.set_roles(world.ada.id, &[Role::User], &[Role::User, role]).await.unwrap();
    let signed_in = world.signed_in().await;
    assert!(signed_in.must_enrol);
    assert!(matches!(world.accounts.authenticate(&signed_in.token), Err(AccountError::FactorRequired)));
    let refreshed = world.accounts.refresh(&signed_in.refresh_token).await.unwrap();
    assert!(refreshed.must_enrol, "a refresh changes nothing");
    let principal = world.accounts.authenticate_enrolling(&refreshed.token).unwrap();
    let secret = world.accounts.begin_totp(&principal, None).await.unwrap().secret;
    world.accounts.confirm_totp(&principal, &world.code(&secret)).await.unwrap();
    let refreshed = world.accounts.refresh(&refreshed.refresh_token).await.unwrap();
    assert!(!refreshed.must_enrol && world.accounts.authenticate(&refreshed.token).is_ok(), "with one, it is whole");
    let waiting = world.waiting().await;
    assert_eq!(waiting.methods, [FactorMethod::Totp, FactorMethod::RecoveryCode], "nothing weaker");
    assert!(is_unauthorized(world.accounts.send_code(&waiting.challenge_id, FactorMethod::Sms).await));

    let mut config = AccountsConfig::default();
    config.admins_need_factor = false;
    let free = World::with(config).await;
    free.store.set_roles(free.ada.id, &[Role::User], &[Role::User, role]).await.unwrap();
    assert!(!free.signed_in().await.must_enrol, "where it is not asked for");
}

#[tokio::test]
async fn a_code_is_mailed_to_a_confirmed_address() {
    let world = World::new().await;
    let (_, _, principal) = world.enrol().await;
    let waiting = world.waiting().await;
    assert!(!waiting.methods.contains(&FactorMethod::Email), "the address is not confirmed");
    assert!(is_unauthorized(world.accounts.send_code(&waiting.challenge_id, FactorMethod::Email).await));
    world.accounts.confirm_address(&world.mail.token(MessageKind::ConfirmAddress)).await.unwrap();
    assert!(world.accounts.address_confirmed_at(&principal).await.unwrap().is_some());

    let waiting = world.waiting().await;
    assert!(waiting.methods.contains(&FactorMethod::Email));
    let send = async |method| world.accounts.send_code(&waiting.challenge_id, method).await;
    send(FactorMethod::Email).await.unwrap();
    let first = world.mail.code();
    send(FactorMethod::Email).await.unwrap();
    let second = world.mail.code();
    assert!(is_unauthorized(world.complete(&waiting, FactorMethod::Email, &first).await), "another took its place");
    let other = world.waiting().await;
    assert!(is_unauthorized(world.complete(&other, FactorMethod::Email, &second).await), "it is bound to its login");
    assert!(world.complete(&waiting, FactorMethod::Email, &second).await.is_ok());

    let waiting = world.waiting().await;
    for _ in 0..3 {
        world.accounts.send_code(&waiting.challenge_id, FactorMethod::Sms).await.unwrap();
    }
    let more = world.accounts.send_code(&waiting.challenge_id, FactorMethod::Sms).await;
    assert!(is_unauthorized(more), "three are all");
    assert!(world.complete(&waiting, FactorMethod::Sms, &world.texts.code()).await.is_ok());
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_who_reads_the_mail() {
    let world = World::new().await;
    world.accounts.confirm_address(&world.mail.token(MessageKind::ConfirmAddress)).await.unwrap();
    let (secret, ..) = world.enrol().await;
    let waiting = world.waiting().await;
    let signed_in = world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.unwrap();
    for nobody in ["nobody@example.org", "no address"] {
        world.accounts.forgot_password(nobody).await.unwrap();
    }
    assert_eq!(world.mail.number(MessageKind::PasswordReset), 0);
    world.accounts.forgot_password("ADA@example.org").await.unwrap();
    let token = world.mail.token(MessageKind::PasswordReset);
    let new = "another horse battery staple";
    let short = world.accounts.reset_password(&token, "short".to_owned()).await;
    assert!(matches!(short, Err(AccountError::Invalid(problems)) if problems[0].field == "password"));
    world.accounts.reset_password(&token, new.to_owned()).await.unwrap();
    assert!(is_unauthorized(world.accounts.reset_password(&token, PASSWORD.to_owned()).await), "it works once");
    assert!(is_unauthorized(world.accounts.login(ADA, PASSWORD.to_owned()).await), "the old one is wrong");
    assert!(matches!(world.accounts.login(ADA, new.to_owned()).await, Ok(Login::SecondFactor(_))), "the factor stays");
    assert!(is_unauthorized(world.accounts.authenticate(&signed_in.token)), "sessions are ended");
    assert_eq!(world.mail.number(MessageKind::PasswordChanged), 1);

    world.accounts.forgot_password(ADA).await.unwrap();
    let late = world.mail.token(MessageKind::PasswordReset);
    world.clock.advance(Duration::from_secs(30 * 60));
    assert!(is_unauthorized(world.accounts.reset_password(&late, new.to_owned()).await), "it is over");
    let confirm = world.mail.token(MessageKind::ConfirmAddress);
    assert!(is_unauthorized(world.accounts.reset_password(&confirm, new.to_owned()).await), "it is for something else");
}

#[tokio::test]
async fn who_reads_the_mail_is_counted_apart_from_who_guesses() {
    let world = World::new().await;
    world.accounts.forgot_password(ADA).await.unwrap();
    let mailed = world.mail.token(MessageKind::PasswordReset);
    let (_, device) = mailed.split_once('.').unwrap();
    let subject = |email: &str, device: Option<&str>| world.accounts.login_subject(email, device);
    assert_ne!(subject(ADA, Some(device)), subject(ADA, None));
    assert_eq!(subject("bob@example.org", Some(device)), subject("bob@example.org", None), "for her account alone");
    world.accounts.reset_password(&mailed, "another horse battery staple".to_owned()).await.unwrap();
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let world = World::new().await;
    let (here, there) = (world.principal().await, world.signed_in().await);
    let change =
        async |old: &str, new: &str| world.accounts.change_password(&here, old.to_owned(), new.to_owned()).await;
    let new = "another horse battery staple";
    assert!(matches!(change("wrong", new).await, Err(AccountError::WrongPassword)));
    assert!(matches!(change(PASSWORD, "short").await, Err(AccountError::Invalid(_))));
    assert_eq!(world.accounts.sessions(&here).await.unwrap().len(), 2);
    change(PASSWORD, new).await.unwrap();
    assert!(is_unauthorized(world.accounts.authenticate(&there.token)));
    let left = world.accounts.sessions(&here).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [here.session_id]);
    assert!(matches!(
        world.accounts.end_session(&here, there_session(&world, &there)).await,
        Err(AccountError::NoSession)
    ));
    world.accounts.end_session(&here, here.session_id).await.unwrap();
    assert!(world.accounts.sessions(&here).await.unwrap().is_empty());
}

fn there_session(world: &World, signed_in: &SignedIn) -> scoreboard_core::SessionId {
    // Its token is refused by now, so another node is asked, which has not heard of the end.
    let node = builder(&world.store, &world.clock, &[1]).build();
    node.authenticate(&signed_in.token).unwrap().session_id
}

#[tokio::test]
async fn a_rotated_key_is_changed_for_the_new_one_at_a_login() {
    let world = World::new().await;
    let (secret, ..) = world.enrol().await;
    let sealed = async || world.store.factor(world.ada.id).await.unwrap().unwrap().secret;
    let before = sealed().await;
    for (keys, works) in [(&[2, 1][..], true), (&[2], true), (&[3], false)] {
        let node = builder(&world.store, &world.clock, keys).build();
        let Login::SecondFactor(waiting) = node.login(ADA, PASSWORD.to_owned()).await.unwrap() else { panic!("asked") };
        let completed = node.complete_login(&waiting.challenge_id, FactorMethod::Totp, &world.code(&secret)).await;
        assert_eq!(completed.is_ok(), works, "{keys:?}: {completed:?}");
        world.clock.advance(STEP);
    }
    assert!(sealed().await != before, "sealed anew under the key that seals now");
}

#[tokio::test]
async fn what_cannot_be_mailed_stops_nothing_but_the_mail() {
    let world = World::new().await;
    *world.mail.full.lock() = true;
    let (_, _, principal) = world.enrol().await;
    assert!(world.accounts.factor_status(&principal).await.unwrap().active, "it is in force, though nobody was told");
    assert!(world.accounts.forgot_password(ADA).await.is_ok(), "as for who is unknown, for whom nothing can fail");
    assert_eq!(world.mail.number(MessageKind::PasswordReset), 0);
    let plain = builder(&world.store, &world.clock, &[1]).build();
    assert!(matches!(plain.forgot_password(ADA).await, Err(AccountError::NoMail)));
    let none = Accounts::builder(world.store.clone(), &ring(&[1])).with_clock(Arc::new(world.clock.clone())).build();
    assert!(matches!(none.begin_totp(&principal, None).await, Err(AccountError::NoFactors)));
}

#[tokio::test]
async fn a_mail_says_nothing_that_who_registered_the_address_has_made_up() {
    let world = World::new().await;
    let lure = "Free-skins-at-evil.example/x";
    let registration = Registration {
        email: "stranger@example.org".to_owned(),
        password: PASSWORD.to_owned(),
        display_name: lure.to_owned(),
    };
    world.accounts.register(registration).await.unwrap();
    world.accounts.forgot_password("stranger@example.org").await.unwrap();
    for kind in [MessageKind::ConfirmAddress, MessageKind::PasswordReset] {
        let message = world.mail.last(kind);
        assert_eq!(message.email.as_str(), "stranger@example.org");
        assert!(!message.text.contains(lure) && !message.subject.contains(lure), "{}", message.text);
    }
}
