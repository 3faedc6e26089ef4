//! A user, her clock, her mailbox and her app.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scoreboard_core::accounts::{
    AccountError, Accounts, AccountsConfig, FactorMethod, Hashing, Login, Message, MessageKind, Notifier, PendingLogin,
    Principal, Registration, SignedIn, User,
};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{BackendError, Clock, ErrorKind, KeyId, KeyRing, Secret, Timestamp};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADA: &str = "ada@example.org";
pub(crate) const STEP: Duration = Duration::from_secs(30);

/// Keeps what it is given, until it is told to fail.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) messages: Mutex<Vec<Message>>,
    pub(crate) full: Mutex<bool>,
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
    pub(crate) fn last(&self, kind: MessageKind) -> Message {
        let messages = self.messages.lock();
        messages.iter().rev().find(|message| message.kind == kind).expect("it was sent").clone()
    }

    pub(crate) fn number(&self, kind: MessageKind) -> usize {
        self.messages.lock().iter().filter(|message| message.kind == kind).count()
    }

    /// The token behind `#name=` in the last message of this kind.
    pub(crate) fn token(&self, kind: MessageKind) -> String {
        let text = self.last(kind).text;
        let link = text.split_whitespace().find(|word| word.contains('#')).expect("a link").to_owned();
        link.rsplit_once('=').expect("a token").1.to_owned()
    }

    /// The code in the last message.
    pub(crate) fn code(&self) -> String {
        let text = self.last(MessageKind::LoginCode).text;
        let digits = |word: &&str| word.len() == 8 && word.bytes().all(|letter| letter.is_ascii_digit());
        let words = text.split(|letter: char| !letter.is_ascii_digit());
        words.into_iter().find(digits).expect("a code").to_owned()
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<MemoryAccountStore>,
    pub(crate) mail: Arc<Mailbox>,
    pub(crate) texts: Arc<Mailbox>,
    pub(crate) accounts: Accounts,
    pub(crate) ada: User,
}

pub(crate) fn ring(numbers: &[u8]) -> KeyRing {
    let key = |number: &u8| (KeyId::new(&format!("k{number}")).unwrap(), Secret::from_bytes([*number; 32]));
    KeyRing::new(numbers.iter().map(key).collect()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(AccountsConfig::default()).await
    }

    pub(crate) async fn with(mut config: AccountsConfig) -> Self {
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

    pub(crate) async fn login(&self) -> Login {
        self.accounts.login(ADA, PASSWORD.to_owned()).await.expect("the password is right")
    }

    pub(crate) async fn signed_in(&self) -> SignedIn {
        self.login().await.signed_in().expect("no second factor is asked for")
    }

    pub(crate) async fn waiting(&self) -> PendingLogin {
        match self.login().await {
            Login::SecondFactor(waiting) => waiting,
            Login::SignedIn(_) => panic!("a second factor is asked for"),
        }
    }

    pub(crate) async fn principal(&self) -> Principal {
        self.accounts.authenticate_enrolling(&self.signed_in().await.token).unwrap()
    }

    /// Sets up an app for Ada: its secret and the recovery codes.
    pub(crate) async fn enrol(&self) -> (String, Vec<String>, Principal) {
        let principal = self.principal().await;
        let secret = self.accounts.begin_totp(&principal, None).await.unwrap().secret;
        let codes = self.accounts.confirm_totp(&principal, &self.code(&secret)).await.unwrap();
        self.clock.advance(STEP);
        (secret, codes, principal)
    }

    /// What the app shows now.
    pub(crate) fn code(&self, secret: &str) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(self.clock.now().as_secs().unsigned_abs()).to_string()
    }

    pub(crate) async fn complete(
        &self,
        waiting: &PendingLogin,
        method: FactorMethod,
        code: &str,
    ) -> Result<SignedIn, AccountError> {
        self.accounts.complete_login(&waiting.challenge_id, method, code).await
    }
}

pub(crate) fn builder(
    store: &Arc<MemoryAccountStore>,
    clock: &ManualClock,
    keys: &[u8],
) -> scoreboard_core::accounts::AccountsBuilder {
    Accounts::builder(store.clone(), &ring(keys)).with_factors(store.clone()).with_clock(Arc::new(clock.clone()))
}

pub(crate) fn is_unauthorized<T: std::fmt::Debug>(result: Result<T, AccountError>) -> bool {
    matches!(result, Err(AccountError::Unauthorized))
}
