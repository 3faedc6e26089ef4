//! Codes that are guessed by a program which knows the password: a million guesses, of which ten a day are looked at.
//!
//! `SCOREBOARD_TEST_SCALE=100` makes it the whole million.

#[path = "../../tests/support/scale.rs"]
mod scale;

use std::sync::Arc;
use std::time::Duration;

use scale::scaled;
use scoreboard_core::accounts::{AccountError, Accounts, AccountsConfig, FactorMethod, Hashing, Login, Registration};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{Clock, KeyRing, RandomIds, Timestamp};

const PASSWORD: &str = "correct horse battery staple";
const ADA: &str = "ada@example.org";
const DAYS: usize = 10;
const GUESSES: usize = 1_000_000;
/// A login takes so many.
const TRIES: usize = 5;

fn code(secret: &str, clock: &ManualClock) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("Base32");
    let totp = totp_rs::Builder::new().with_secret(secret).build().expect("sound");
    totp.generate(clock.now().as_secs().unsigned_abs()).to_string()
}

async fn waiting(accounts: &Accounts) -> String {
    match accounts.login(ADA, PASSWORD.to_owned()).await.expect("the password is right") {
        Login::SecondFactor(waiting) => waiting.challenge_id,
        Login::SignedIn(_) => panic!("a second factor is asked for"),
    }
}

#[tokio::test]
async fn of_a_million_guessed_codes_ten_a_day_are_looked_at() {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let store = Arc::new(MemoryAccountStore::default());
    let mut config = AccountsConfig::default();
    config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
    let builder = Accounts::builder(store.clone(), &KeyRing::random(&RandomIds)).with_factors(store);
    let accounts = builder.with_clock(Arc::new(clock.clone())).with_config(config).build();
    let (email, password, display_name) = (ADA.to_owned(), PASSWORD.to_owned(), "Ada".to_owned());
    accounts.register(Registration { email, password, display_name }).await.expect("registered");
    let signed_in = accounts.login(ADA, PASSWORD.to_owned()).await.expect("right").signed_in().expect("no factor yet");
    let principal = accounts.authenticate(&signed_in.token).expect("signed in");
    let secret = accounts.begin_totp(&principal, None).await.expect("begun").secret;
    accounts.confirm_totp(&principal, &code(&secret, &clock)).await.expect("right");

    // A code that was used is none any more, as long as its step lasts and behind it.
    for _ in 0..2 {
        let id = waiting(&accounts).await;
        let again = accounts.complete_login(&id, FactorMethod::Totp, &code(&secret, &clock)).await;
        assert!(matches!(again, Err(AccountError::Unauthorized)), "the code of the confirmation");
    }
    clock.advance(Duration::from_secs(86_400));

    let a_day = scaled(GUESSES) / DAYS;
    let (mut guess, mut lucky, mut total) = (0, 0, 0);
    for day in 0..DAYS {
        let (mut looked_at, mut refused) = (0, 0);
        let mut id = String::new();
        for number in 0..a_day {
            if number % TRIES == 0 {
                if number % (a_day / 10).next_multiple_of(TRIES) == 0 {
                    // Over the day, and between logins, which last ten minutes.
                    clock.advance(Duration::from_secs(600));
                }
                id = waiting(&accounts).await;
            }
            guess = (guess + 7_919) % 1_000_000;
            match accounts.complete_login(&id, FactorMethod::Totp, &format!("{guess:06}")).await {
                Err(AccountError::Unauthorized) => looked_at += 1,
                Err(AccountError::TooManyCodes(wait)) => {
                    assert!(wait <= Duration::from_secs(86_400));
                    refused += 1;
                }
                Ok(_) => lucky += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(looked_at <= 10 && looked_at + refused + lucky >= a_day, "day {day}: {looked_at} were looked at");
        total += looked_at;
        clock.advance(Duration::from_secs(86_400));
    }
    println!("{} guesses: {total} were looked at, {lucky} were right by chance", a_day * DAYS);
    // Twice in a test is once in a thousand million tests.
    assert!(total >= DAYS && lucky <= 1);

    // The owner still gets in, a day later at the latest.
    let id = waiting(&accounts).await;
    let right = accounts.complete_login(&id, FactorMethod::Totp, &code(&secret, &clock)).await;
    assert!(right.is_ok(), "{right:?}");
}
