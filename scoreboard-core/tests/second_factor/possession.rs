//! Who reads the mail of an address has the account of it, whoever made that before: and no more than that.

use scoreboard_core::accounts::{AccountError, FactorMethod, FactorStore, Login, MessageKind, Role, UserStore};

use crate::world::{ADA, PASSWORD, World, is_unauthorized};

const NEW: &str = "another horse battery staple";

async fn reset(world: &World) {
    world.accounts.forgot_password(ADA).await.unwrap();
    let token = world.mail.token(MessageKind::PasswordReset);
    world.accounts.reset_password(&token, NEW.to_owned()).await.unwrap();
}

#[tokio::test]
async fn what_was_set_up_by_who_could_not_read_the_mail_does_not_outlive_a_reset_by_who_can() {
    let world = World::new().await;
    // Somebody makes an account of an address that is not theirs, an app with it, and sits in sessions of it.
    let (secret, codes, squatter) = world.enrol().await;
    let waiting = world.waiting().await;
    let signed_in = world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.unwrap();
    let half_in = world.waiting().await;

    reset(&world).await;
    assert!(is_unauthorized(world.accounts.authenticate(&signed_in.token)));
    assert!(is_unauthorized(world.accounts.refresh(&signed_in.refresh_token).await));
    for (method, code) in [(FactorMethod::Totp, world.code(&secret)), (FactorMethod::RecoveryCode, codes[0].clone())] {
        assert!(is_unauthorized(world.complete(&half_in, method, &code).await), "{method:?}");
    }
    assert_eq!(world.store.factor(world.ada.id).await.unwrap(), None);
    assert_eq!(world.mail.number(MessageKind::FactorRemoved), 1, "and the owner is told");
    // A token of another node, that has not heard of the end of its session, sets nothing up either.
    let begun = world.accounts.begin_totp(&squatter, None).await;
    assert!(matches!(begun, Err(AccountError::Stale)), "{begun:?}");
    let by_password = world.accounts.begin_totp(&squatter, Some(PASSWORD.to_owned())).await;
    assert!(matches!(by_password, Err(AccountError::WrongPassword)), "{by_password:?}");

    let Login::SignedIn(owner) = world.accounts.login(ADA, NEW.to_owned()).await.unwrap() else {
        panic!("nobody else's app is asked for")
    };
    let owner = world.accounts.authenticate(&owner.token).unwrap();
    assert!(world.accounts.address_confirmed_at(&owner).await.unwrap().is_some());
}

#[tokio::test]
async fn an_app_that_was_only_begun_goes_too() {
    let world = World::new().await;
    let squatter = world.principal().await;
    let secret = world.accounts.begin_totp(&squatter, None).await.unwrap().secret;
    reset(&world).await;
    assert_eq!(world.store.factor(world.ada.id).await.unwrap(), None);
    // A token of another node, that has not heard of the end of its session, puts none in force.
    let confirmed = world.accounts.confirm_totp(&squatter, &world.code(&secret)).await;
    assert!(matches!(confirmed, Err(AccountError::Unauthorized)), "{confirmed:?}");
    assert_eq!(world.mail.number(MessageKind::FactorRemoved), 0, "it was not in force");
    assert!(matches!(world.accounts.login(ADA, NEW.to_owned()).await, Ok(Login::SignedIn(_))));
}

#[tokio::test]
async fn a_factor_of_who_had_confirmed_the_address_stays() {
    let world = World::new().await;
    world.accounts.confirm_address(&world.mail.token(MessageKind::ConfirmAddress)).await.unwrap();
    let (secret, ..) = world.enrol().await;
    for _ in 0..2 {
        reset(&world).await;
        let Ok(Login::SecondFactor(waiting)) = world.accounts.login(ADA, NEW.to_owned()).await else {
            panic!("the factor is asked for")
        };
        assert!(world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.is_ok());
        world.clock.advance(crate::world::STEP);
    }
    assert_eq!(world.mail.number(MessageKind::FactorRemoved), 0);
}

#[tokio::test]
async fn once_possessed_an_account_keeps_the_factor_of_its_owner() {
    let world = World::new().await;
    reset(&world).await;
    let Ok(Login::SignedIn(owner)) = world.accounts.login(ADA, NEW.to_owned()).await else { panic!("there is none") };
    let owner = world.accounts.authenticate(&owner.token).unwrap();
    let secret = world.accounts.begin_totp(&owner, None).await.unwrap().secret;
    world.accounts.confirm_totp(&owner, &world.code(&secret)).await.unwrap();
    reset(&world).await;
    assert!(matches!(world.accounts.login(ADA, NEW.to_owned()).await, Ok(Login::SecondFactor(_))), "it is the owner's");
}

#[tokio::test]
async fn who_decides_about_others_is_not_had_by_their_mail() {
    for role in [Role::Moderator, Role::Admin] {
        let world = World::new().await;
        let _ = world.enrol().await;
        assert!(world.store.set_roles(world.ada.id, &[Role::User], &[Role::User, role]).await.unwrap());
        reset(&world).await;
        let Ok(Login::SecondFactor(waiting)) = world.accounts.login(ADA, NEW.to_owned()).await else {
            panic!("the factor is asked for")
        };
        assert!(!waiting.methods.contains(&FactorMethod::Email), "nor is it to be had by mail");
        assert_eq!(world.store.email_confirmed_at(world.ada.id).await.unwrap(), None);
        assert_eq!(world.mail.number(MessageKind::FactorRemoved), 0);
    }
}
