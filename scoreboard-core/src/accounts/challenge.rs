//! A login in two steps: the password begins a challenge, a code of the second factor ends it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::accounts::factor::Proof;
use crate::accounts::{
    AccountError, Accounts, Factor, LoginChallenge, MessageKind, PasswordHash, SignedIn, TokenHash, User,
};
use crate::encoding::sha256;
use crate::id_source::IdSourceExt;

/// How long the second step may take.
const LIFETIME: Duration = Duration::from_secs(600);
/// How many codes may be tried for one login.
const MAX_TRIES: u32 = 5;

/// By what a login can be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactorMethod {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A code that is mailed to the user's confirmed address. Weaker than an app: who can read the mail has it.
    Email,
    /// A code that is sent as a text. Weaker than an app: texts can be read on their way, and numbers taken over.
    Sms,
}

/// A login that waits for the second factor.
#[derive(Clone)]
pub struct PendingLogin {
    /// Names it: 256 random bits, and a hash by which it ends with the password that began it.
    pub challenge_id: String,
    /// By what it can be completed.
    pub methods: Vec<FactorMethod>,
    /// How long it waits.
    pub expires_in: Duration,
}

impl std::fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingLogin").field("methods", &self.methods).finish_non_exhaustive()
    }
}

/// What a right password comes to.
#[derive(Debug, Clone)]
#[must_use]
pub enum Login {
    /// A session has begun.
    SignedIn(SignedIn),
    /// The user has a second factor: show it.
    SecondFactor(PendingLogin),
}

impl Login {
    /// The session, if it has begun.
    #[must_use]
    pub fn signed_in(self) -> Option<SignedIn> {
        match self {
            Self::SignedIn(signed_in) => Some(signed_in),
            Self::SecondFactor(_) => None,
        }
    }
}

impl Accounts {
    /// Completes a login by the second factor, and begins its session.
    ///
    /// Five codes may be tried for a login, and ten wrong ones of the app are looked at for an account in 24 hours.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the code is wrong or was used, or the login is unknown, over, completed, or was tried too often: never
    /// said which. [`AccountError::TooManyCodes`], [`AccountError::NoFactors`], [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the code may have been used up, and a session may have begun of which nobody has the tokens: log in again.
    pub async fn complete_login(
        &self,
        challenge_id: &str,
        method: FactorMethod,
        code: &str,
    ) -> Result<SignedIn, AccountError> {
        let factors = self.factors()?;
        let shown = ShownChallenge::read(challenge_id)?;
        let id = shown.id();
        let now = self.parts.clock.now();
        let challenge = factors.store.try_challenge(id, MAX_TRIES, now).await?.ok_or(AccountError::Unauthorized)?;
        let (user, password) = self.who_waits(&shown, &challenge).await?;
        let proof = match method {
            FactorMethod::Totp => Proof::Totp(code),
            FactorMethod::RecoveryCode => Proof::RecoveryCode(code),
            FactorMethod::Email | FactorMethod::Sms => Proof::Sent(self.is_sent_code(&challenge, code)),
        };
        match self.change_by_proof(challenge.user_id, proof, true, Some).await {
            Ok(()) => {}
            Err(AccountError::WrongCode | AccountError::FactorMissing) => return Err(AccountError::Unauthorized),
            Err(error) => return Err(error),
        }
        // Two good codes at once begin one session.
        if !factors.store.end_challenge(id).await? {
            return Err(AccountError::Unauthorized);
        }
        if method == FactorMethod::RecoveryCode {
            self.tell(challenge.user_id, MessageKind::RecoveryCodeUsed, "a recovery code was used to sign in.").await;
        }
        self.begin(user, &password, true).await
    }

    /// Whose login it is that waits, with the hash of their password, if that is still the one that began it: whoever has changed it, or set
    /// another by mail, is rid of those who knew the old one, be they half in.
    pub(super) async fn who_waits(
        &self,
        shown: &ShownChallenge,
        challenge: &LoginChallenge,
    ) -> Result<(User, PasswordHash), AccountError> {
        let waits = self.parts.store.user_with_password(challenge.user_id).await?;
        let (user, password) = waits.ok_or(AccountError::Unauthorized)?;
        if bool::from(shown.mark.ct_eq(&mark(&shown.secret, &password))) {
            Ok((user, password))
        } else {
            Err(AccountError::Unauthorized)
        }
    }

    /// What a right password comes to for this user.
    pub(super) async fn password_was_right(&self, user: User, password: &PasswordHash) -> Result<Login, AccountError> {
        let factor = match &self.parts.factors {
            Some(factors) => factors.store.factor(user.id).await?.filter(Factor::is_active),
            None => None,
        };
        match factor {
            Some(factor) => self.challenge(&user, password, &factor).await.map(Login::SecondFactor),
            None => self.begin(user, password, false).await.map(Login::SignedIn),
        }
    }

    async fn challenge(
        &self,
        user: &User,
        password: &PasswordHash,
        factor: &Factor,
    ) -> Result<PendingLogin, AccountError> {
        let secret = self.parts.ids.secret();
        let now = self.parts.clock.now();
        let challenge = LoginChallenge {
            id: TokenHash::of(&secret),
            user_id: factor.user_id,
            created_at: now,
            expires_at: now.plus(LIFETIME),
            tries: 0,
            sent: 0,
            code: None,
        };
        self.factors()?.store.begin_challenge(&challenge).await?;
        let mut methods = vec![FactorMethod::Totp];
        if !factor.recovery_codes.is_empty() {
            methods.push(FactorMethod::RecoveryCode);
        }
        methods.extend(self.ways_to(user).await?.into_iter().map(|(way, _)| way));
        let challenge_id = URL_SAFE_NO_PAD.encode([&secret[..], &mark(&secret, password)].concat());
        Ok(PendingLogin { challenge_id, methods, expires_in: LIFETIME })
    }
}

const SECRET: usize = 32;

/// What a client shows of a login that waits.
pub(super) struct ShownChallenge {
    secret: [u8; SECRET],
    mark: [u8; 32],
}

impl ShownChallenge {
    pub(super) fn read(challenge_id: &str) -> Result<Self, AccountError> {
        let bytes = URL_SAFE_NO_PAD.decode(challenge_id).map_err(|_| AccountError::Unauthorized)?;
        let (secret, mark) = bytes.split_first_chunk().ok_or(AccountError::Unauthorized)?;
        Ok(Self { secret: *secret, mark: mark.try_into().map_err(|_| AccountError::Unauthorized)? })
    }

    /// What the login is known by.
    pub(super) fn id(&self) -> TokenHash {
        TokenHash::of(&self.secret)
    }
}

/// What binds a login to the password that began it. It tells its client nothing: the hash has a salt that only the store knows.
fn mark(secret: &[u8; SECRET], password: &PasswordHash) -> [u8; 32] {
    sha256("scoreboard/login-challenge/v1", &[secret, password.expose().as_bytes()])
}
