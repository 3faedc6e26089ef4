//! Second factors over the store in memory and a clock that is set by hand.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do, its test cannot either")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use scoreboard_core::accounts::{
    AccountError, Accounts, AccountsConfig, FactorMethod, FactorStore, Hashing, Login, Message, MessageKind, Notifier,
    PendingLogin, Principal, Registration, Role, SignedIn, User, UserStore,
};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{BackendError, Clock, ErrorKind, KeyId, KeyRing, Secret, Timestamp};
use tokio::sync::oneshot;

const PASSWORD: &str = "correct horse battery staple";
const ADA: &str = "ada@example.org";
const STEP: Duration = Duration::from_secs(30);

/// Keeps what it is given, until it is told to fail.
#[derive(Debug, Default)]
struct Mailbox {
    messages: Mutex<Vec<Message>>,
    full: Mutex<bool>,
}

#[async_trait::async_trait]
impl Notifier for Mailbox {
    async fn deliver(&self, message: &Message) -> Result<(), BackendError> {
        if *self.full.lock() {
            return Err(BackendError::new(ErrorKind::Overloaded, "mailbox", "deliver"));
        }
        self.messages.lock().push(message.clone());
        Ok(())
    }
}

impl Mailbox {
    fn last(&self, kind: MessageKind) -> Message {
        let messages = self.messages.lock();
        messages.iter().rev().find(|message| message.kind == kind).expect("it was sent").clone()
    }

    fn number(&self, kind: MessageKind) -> usize {
        self.messages.lock().iter().filter(|message| message.kind == kind).count()
    }

    /// The token behind `#name=` in the last message of this kind.
    fn token(&self, kind: MessageKind) -> String {
        let text = self.last(kind).text;
        let link = text.split_whitespace().find(|word| word.contains('#')).expect("a link").to_owned();
        link.rsplit_once('=').expect("a token").1.to_owned()
    }

    /// The code in the last message.
    fn code(&self) -> String {
        let text = self.last(MessageKind::LoginCode).text;
        let digits = |word: &&str| word.len() == 8 && word.bytes().all(|letter| letter.is_ascii_digit());
        let words = text.split(|letter: char| !letter.is_ascii_digit());
        words.into_iter().find(digits).expect("a code").to_owned()
    }
}

struct World {
    clock: ManualClock,
    store: Arc<MemoryAccountStore>,
    mail: Arc<Mailbox>,
    texts: Arc<Mailbox>,
    accounts: Accounts,
    ada: User,
}

fn ring(numbers: &[u8]) -> KeyRing {
    let key = |number: &u8| (KeyId::new(&format!("k{number}")).unwrap(), Secret::from_bytes([*number; 32]));
    KeyRing::new(numbers.iter().map(key).collect()).unwrap()
}

impl World {
    async fn new() -> Self {
        Self::with(AccountsConfig::default()).await
    }

    async fn with(mut config: AccountsConfig) -> Self {
        config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        let store = Arc::new(MemoryAccountStore::default());
        let (mail, texts) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        let accounts =
            builder(&store, &clock, &[1]).with_config(config).with_mail(mail.clone()).with_texts(texts.clone()).build();
        let (email, password, display_name) = (ADA.to_owned(), PASSWORD.to_owned(), "Ada".to_owned());
        let ada = accounts.register(Registration { email, password, display_name }).await.unwrap();
        Self { clock, store, mail, texts, accounts, ada }
    }

    async fn login(&self) -> Login {
        self.accounts.login(ADA, PASSWORD.to_owned()).await.expect("the password is right")
    }

    async fn signed_in(&self) -> SignedIn {
        self.login().await.signed_in().expect("no second factor is asked for")
    }

    async fn waiting(&self) -> PendingLogin {
        match self.login().await {
            Login::SecondFactor(waiting) => waiting,
            Login::SignedIn(_) => panic!("a second factor is asked for"),
        }
    }

    async fn principal(&self) -> Principal {
        self.accounts.authenticate_enrolling(&self.signed_in().await.token).unwrap()
    }

    /// Sets up an app for Ada: its secret and the recovery codes.
    async fn enrol(&self) -> (String, Vec<String>, Principal) {
        let principal = self.principal().await;
        let secret = self.accounts.begin_totp(&principal, None).await.unwrap().secret;
        let codes = self.accounts.confirm_totp(&principal, &self.code(&secret)).await.unwrap();
        self.clock.advance(STEP);
        (secret, codes, principal)
    }

    /// What the app shows now.
    fn code(&self, secret: &str) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(self.clock.now().as_secs().unsigned_abs()).to_string()
    }

    async fn complete(
        &self,
        waiting: &PendingLogin,
        method: FactorMethod,
        code: &str,
    ) -> Result<SignedIn, AccountError> {
        self.accounts.complete_login(&waiting.challenge_id, method, code).await
    }
}

fn builder(
    store: &Arc<MemoryAccountStore>,
    clock: &ManualClock,
    keys: &[u8],
) -> scoreboard_core::accounts::AccountsBuilder {
    Accounts::builder(store.clone(), &ring(keys)).with_factors(store.clone()).with_clock(Arc::new(clock.clone()))
}

fn is_unauthorized<T: std::fmt::Debug>(result: Result<T, AccountError>) -> bool {
    matches!(result, Err(AccountError::Unauthorized))
}

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
    let altered = format!("{signed}~{}A", &sealed[..sealed.len() - 1]);
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
