//! What is done by mails besides: another address, and an account that is made by whoever reads one.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{
    AccountError, Accounts, FactorMethod, Login, MessageKind, Principal, Registration, Role, UserStore,
};
use scoreboard_core::{KeyId, Secret};

use crate::world::{ADA, PASSWORD, World, is_unauthorized, ring};

#[tokio::test]
async fn an_address_is_changed_by_who_has_just_logged_in_and_reads_the_mail() {
    const NEW: &str = "ada@elsewhere.example";
    let world = World::new().await;
    let (secret, _, old) = world.enrol().await;
    let bob = Registration { email: "bob@example.org".into(), password: PASSWORD.into(), display_name: "Bob".into() };
    world.accounts.register(bob).await.unwrap();
    world.clock.advance(Duration::from_secs(15 * 60));
    let ask = async |principal: &Principal, email: &str| world.accounts.mail_address_change(principal, email).await;
    assert!(matches!(ask(&old, NEW).await, Err(AccountError::Stale)), "the login is too old");

    let waiting = world.waiting().await;
    let signed_in = world.complete(&waiting, FactorMethod::Totp, &world.code(&secret)).await.unwrap();
    let principal = world.accounts.authenticate(&signed_in.token).unwrap();
    for bad in ["no address", ADA, "ADA@example.org"] {
        let refused = ask(&principal, bad).await;
        assert!(matches!(refused, Err(AccountError::Invalid(problems)) if problems[0].field == "email"), "{bad}");
    }
    ask(&principal, "bob@example.org").await.unwrap();
    assert_eq!(world.mail.number(MessageKind::ChangeAddress), 0, "who has it is not told, and nor is who asks");

    ask(&principal, NEW).await.unwrap();
    assert_eq!(world.mail.last(MessageKind::ChangeAddress).email.as_str(), NEW, "it goes to the new address");
    assert_eq!(world.accounts.me(&principal).await.unwrap().email.as_str(), ADA, "nothing is changed yet");
    let token = world.mail.token(MessageKind::ChangeAddress);
    // What is mailed to the old address is worth nothing once it is another.
    world.accounts.forgot_password(ADA).await.unwrap();
    let reset = world.mail.token(MessageKind::PasswordReset);
    let (signed, _) = token.split_once('~').unwrap();
    for forged in [signed, &format!("{signed}~{}", "bW9uYUBleGFtcGxlLm9yZw"), "", "~", &reset] {
        assert!(is_unauthorized(world.accounts.change_address(forged).await), "{forged}");
    }
    world.accounts.change_address(&token).await.unwrap();
    assert_eq!(world.accounts.me(&principal).await.unwrap().email.as_str(), NEW);
    assert!(world.accounts.address_confirmed_at(&principal).await.unwrap().is_some(), "the mail was read");
    assert!(is_unauthorized(world.accounts.change_address(&token).await), "it works once");
    let told = world.mail.last(MessageKind::AddressChanged);
    assert_eq!(
        (told.email.as_str(), told.text.contains(NEW)),
        (ADA, false),
        "the old address is told, but not the new"
    );
    assert!(is_unauthorized(world.accounts.login(ADA, PASSWORD.to_owned()).await));
    assert!(matches!(world.accounts.login(NEW, PASSWORD.to_owned()).await, Ok(Login::SecondFactor(_))));
    assert!(is_unauthorized(world.accounts.reset_password(&reset, "another horse battery staple".to_owned()).await));
}

#[tokio::test]
async fn a_change_of_address_ends_with_the_password_and_gives_nobody_anothers() {
    let world = World::new().await;
    let principal = world.principal().await;
    let ask = async |email: &str| {
        world.accounts.mail_address_change(&principal, email).await.unwrap();
        world.mail.token(MessageKind::ChangeAddress)
    };
    let taken = ask("bob@example.org").await;
    let bob = Registration { email: "bob@example.org".into(), password: PASSWORD.into(), display_name: "Bob".into() };
    world.accounts.register(bob).await.unwrap();
    assert!(is_unauthorized(world.accounts.change_address(&taken).await), "somebody else has it by now");

    let late = ask("late@example.org").await;
    world.clock.advance(Duration::from_secs(30 * 60));
    assert!(is_unauthorized(world.accounts.change_address(&late).await), "it is over");

    let principal = world.principal().await;
    world.accounts.mail_address_change(&principal, "new@example.org").await.unwrap();
    let token = world.mail.token(MessageKind::ChangeAddress);
    let new = "another horse battery staple".to_owned();
    world.accounts.change_password(&principal, PASSWORD.to_owned(), new).await.unwrap();
    assert!(is_unauthorized(world.accounts.change_address(&token).await), "whoever asked may be out by now");
    assert_eq!(world.accounts.me(&principal).await.unwrap().email.as_str(), ADA);
}

#[tokio::test]
async fn an_account_that_is_made_by_mail_tells_nobody_who_has_one() {
    let world = World::new().await;
    let ask = async |email: &str| {
        let (email, password, display_name) = (email.to_owned(), PASSWORD.to_owned(), "Bob \u{1F3C1}".to_owned());
        world.accounts.mail_registration(Registration { email, password, display_name }).await
    };
    assert!(matches!(ask("no address").await, Err(AccountError::Invalid(problems)) if problems[0].field == "email"));
    let before = world.mail.messages.lock().len();
    ask("ADA@example.org").await.unwrap();
    let told = world.mail.last(MessageKind::AlreadyRegistered);
    assert_eq!((told.email.as_str(), told.text.contains('#')), (ADA, false), "who has it is told, and nothing opens");
    ask("bob@example.org").await.unwrap();
    ask("bob@example.org").await.unwrap();
    assert_eq!(world.mail.messages.lock().len(), before + 3, "a mail for each");
    let token = world.mail.token(MessageKind::Registration);
    assert!(is_unauthorized(world.accounts.login("bob@example.org", PASSWORD.to_owned()).await), "there is none yet");

    let (signed, sealed) = token.split_once('~').unwrap();
    let hash = "argon2id";
    assert!(!token.contains(hash), "what is in it cannot be read");
    let other = if sealed.starts_with('A') { 'B' } else { 'A' };
    let altered = format!("{signed}~{other}{}", &sealed[1..]);
    let confirm = world.mail.token(MessageKind::ConfirmAddress);
    for forged in [signed, "", "~", &altered, &confirm, &format!("{confirm}~{sealed}")] {
        assert!(is_unauthorized(world.accounts.complete_registration(forged).await), "{forged}");
    }
    let bob = world.accounts.complete_registration(&token).await.unwrap();
    assert_eq!((bob.email.as_str(), bob.roles), ("bob@example.org", vec![Role::User]));
    assert!(world.store.email_confirmed_at(bob.id).await.unwrap().is_some(), "the mail was read");
    assert!(world.accounts.login("bob@example.org", PASSWORD.to_owned()).await.unwrap().signed_in().is_some());
    assert!(is_unauthorized(world.accounts.complete_registration(&token).await), "it works once");

    ask("eve@example.org").await.unwrap();
    let late = world.mail.token(MessageKind::Registration);
    world.clock.advance(Duration::from_secs(86_400));
    assert!(is_unauthorized(world.accounts.complete_registration(&late).await), "it is over");
    *world.mail.full.lock() = true;
    assert!(
        ask(ADA).await.is_ok() && ask("new@example.org").await.is_ok(),
        "that none can be sent tells nothing either"
    );
    // A key that only opens what it had sealed may have leaked: what it signs is not taken.
    *world.mail.full.lock() = false;
    ask("new@example.org").await.unwrap();
    let token = world.mail.token(MessageKind::Registration);
    let ring = ring(&[2]);
    let old = KeyId::new("k1").unwrap();
    ring.replace(
        vec![(KeyId::new("k2").unwrap(), Secret::from_bytes([2; 32]))],
        vec![(old, Secret::from_bytes([1; 32]))],
    )
    .unwrap();
    let node = Accounts::builder(world.store.clone(), &ring).with_clock(Arc::new(world.clock.clone())).build();
    assert!(is_unauthorized(node.complete_registration(&token).await));
}
