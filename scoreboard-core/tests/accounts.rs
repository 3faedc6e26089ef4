//! Accounts over the in-memory store and a clock that is set by hand.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{
    AccountError, Accounts, AccountsConfig, CreateUser, DisplayName, Email, Hashing, PasswordHash, Registration, Role,
    SessionEnd, SignedIn, User, UserStore,
};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{KeyId, KeyRing, RandomIds, Secret, Timestamp, UserId};

const PASSWORD: &str = "correct horse battery staple";

struct World {
    clock: ManualClock,
    store: Arc<MemoryAccountStore>,
    ring: KeyRing,
    accounts: Accounts,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        let store = Arc::new(MemoryAccountStore::default());
        let ring = KeyRing::new(vec![(KeyId::new("k").expect("slug"), Secret::from_bytes([1; 32]))]).expect("a key");
        let accounts = accounts(&store, &ring, &clock);
        Self { clock, store, ring, accounts }
    }

    /// Another node on the same store.
    fn node(&self) -> Accounts {
        accounts(&self.store, &self.ring, &self.clock)
    }

    async fn register(&self, email: &str) -> User {
        self.accounts.register(registration(email, PASSWORD, "Ada")).await.expect("registered")
    }

    async fn login(&self) -> SignedIn {
        let login = self.accounts.login("ada@example.org", PASSWORD.to_owned()).await.expect("the password is right");
        login.signed_in().expect("no second factor is asked for")
    }
}

fn accounts(store: &Arc<MemoryAccountStore>, ring: &KeyRing, clock: &ManualClock) -> Accounts {
    let mut config = AccountsConfig::default();
    config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
    let builder = Accounts::builder(store.clone(), ring).with_ids(Arc::new(RandomIds));
    builder.with_clock(Arc::new(clock.clone())).with_config(config).build()
}

fn registration(email: &str, password: &str, display_name: &str) -> Registration {
    let (email, password, display_name) = (email.to_owned(), password.to_owned(), display_name.to_owned());
    Registration { email, password, display_name }
}

fn is_unauthorized<T: std::fmt::Debug>(result: Result<T, AccountError>) -> bool {
    matches!(result, Err(AccountError::Unauthorized))
}

#[tokio::test]
async fn register_login_and_who_is_asking() {
    let world = World::new();
    let user = world.register("Ada@Example.org").await;
    assert_eq!(user.roles, [Role::User]);
    let signed_in = world.login().await;
    let principal = world.accounts.authenticate(&signed_in.token).expect("signed in");
    assert_eq!(principal.user_id, user.id);
    assert_eq!(world.accounts.me(&principal).await.expect("there"), user);
    world.clock.advance(Duration::from_secs(606));
    assert!(is_unauthorized(world.accounts.authenticate(&signed_in.token)));
}

#[tokio::test]
async fn every_bad_field_is_named_and_nothing_is_kept() {
    let world = World::new();
    let bad = registration("not an address", "short", "\u{202e}evil");
    let Err(AccountError::Invalid(problems)) = world.accounts.register(bad).await else { panic!("accepted") };
    assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), ["email", "password", "displayName"]);
    let long = registration("ada@example.org", &"x".repeat(129), "Ada");
    assert!(matches!(world.accounts.register(long).await, Err(AccountError::Invalid(_))));
    assert!(is_unauthorized(world.accounts.login("ada@example.org", "x".repeat(129)).await));
    world.register("ada@example.org").await;
    let again = world.accounts.register(registration("ADA@example.org", PASSWORD, "Eve")).await;
    assert!(matches!(again, Err(AccountError::EmailTaken)));
}

#[tokio::test]
async fn wrong_password_and_unknown_address_look_the_same() {
    let world = World::new();
    world.register("ada@example.org").await;
    for (email, password) in
        [("ada@example.org", "wrong"), ("eve@example.org", PASSWORD), ("nonsense", PASSWORD), ("", "")]
    {
        assert!(is_unauthorized(world.accounts.login(email, password.to_owned()).await), "{email}");
    }
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_family() {
    let world = World::new();
    world.register("ada@example.org").await;
    let first = world.login().await;
    let second = world.accounts.refresh(&first.refresh_token).await.expect("rotated");
    let third = world.accounts.refresh(&second.refresh_token).await.expect("rotated");
    assert!(world.accounts.authenticate(&third.token).is_ok());
    world.clock.advance(Duration::from_secs(10));
    assert!(is_unauthorized(world.accounts.refresh(&first.refresh_token).await), "used before");
    assert!(is_unauthorized(world.accounts.refresh(&third.refresh_token).await), "the family is dead");
    for token in [&first.token, &second.token, &third.token] {
        assert!(is_unauthorized(world.accounts.authenticate(token)));
    }
    let other = world.login().await;
    assert!(world.accounts.authenticate(&other.token).is_ok(), "another login is another family");
    for nonsense in ["", "x", "!!", &"A".repeat(43)] {
        assert!(is_unauthorized(world.accounts.refresh(nonsense).await));
    }
}

#[tokio::test]
async fn of_many_refreshes_at_once_all_get_the_same_token_and_later_one_ends_the_family() {
    let world = World::new();
    world.register("ada@example.org").await;
    let first = world.login().await;
    // Of two nodes.
    let nodes = [world.accounts.clone(), world.node()];
    let tries = (0..50).map(|n| {
        let (accounts, token) = (nodes[n % 2].clone(), first.refresh_token.clone());
        tokio::spawn(async move { accounts.refresh(&token).await.expect("in its grace").refresh_token })
    });
    let mut given = std::collections::BTreeSet::new();
    for result in tries.collect::<Vec<_>>() {
        given.insert(result.await.expect("no panic"));
    }
    let second = given.pop_first().expect("one was given");
    assert!(given.is_empty(), "one successor");
    let third = world.accounts.refresh(&second).await.expect("it is in force");
    assert!(world.accounts.authenticate(&first.token).is_ok(), "the family is alive");
    world.clock.advance(Duration::from_secs(9));
    assert_eq!(nodes[1].refresh(&second).await.expect("in its grace").refresh_token, third.refresh_token);
    world.clock.advance(Duration::from_secs(1));
    assert!(is_unauthorized(world.accounts.refresh(&second).await), "ten seconds later somebody has a copy");
    for token in [&first.token, &third.token] {
        assert!(is_unauthorized(world.accounts.authenticate(token)));
    }
    nodes[1].sync_revocations().await.expect("memory");
    assert!(is_unauthorized(nodes[1].authenticate(&third.token)));
    assert!(is_unauthorized(nodes[1].refresh(&third.refresh_token).await));
}

#[tokio::test]
async fn a_refresh_whose_key_was_rotated_meanwhile_gets_the_same_token() {
    let world = World::new();
    world.register("ada@example.org").await;
    let first = world.login().await;
    let second = world.accounts.refresh(&first.refresh_token).await.expect("rotated");
    let [old, new] =
        [1, 2].map(|n| (KeyId::new(["k", "k2"][usize::from(n) - 1]).expect("slug"), Secret::from_bytes([n; 32])));
    let rotated = KeyRing::new(vec![new, old]).expect("two keys");
    let again = accounts(&world.store, &rotated, &world.clock).refresh(&first.refresh_token).await;
    assert_eq!(again.expect("in its grace").refresh_token, second.refresh_token);
}

#[tokio::test]
async fn logout_ends_the_session_here_at_once_and_elsewhere_by_the_store() {
    let world = World::new();
    world.register("ada@example.org").await;
    let signed_in = world.login().await;
    let principal = world.accounts.authenticate(&signed_in.token).expect("signed in");
    let node = world.node();
    assert!(node.authenticate(&signed_in.token).is_ok());
    world.accounts.logout(&principal).await.expect("ended");
    assert!(is_unauthorized(world.accounts.authenticate(&signed_in.token)));
    assert!(is_unauthorized(world.accounts.refresh(&signed_in.refresh_token).await));
    node.sync_revocations().await.expect("memory");
    assert!(is_unauthorized(node.authenticate(&signed_in.token)), "as after a restart");
}

#[tokio::test]
async fn who_follows_a_session_hears_of_its_end_here_at_once_and_elsewhere_by_the_store() {
    let world = World::new();
    world.register("ada@example.org").await;
    let principal = world.accounts.authenticate(&world.login().await.token).expect("signed in");
    let other = world.accounts.authenticate(&world.login().await.token).expect("signed in");
    let node = world.node();
    node.sync_revocations().await.expect("memory");
    let [mut here, mut others] = [principal, other].map(|of| world.accounts.follow_session(of.session_id));
    let mut there = node.follow_session(principal.session_id);
    let has_ended = async |end: &mut SessionEnd| tokio::time::timeout(Duration::ZERO, end.ended()).await.is_ok();
    assert!(!has_ended(&mut here).await);
    world.accounts.logout(&principal).await.expect("ended");
    assert!(has_ended(&mut here).await && !has_ended(&mut there).await && !has_ended(&mut others).await);
    // The store was away for longer than any access token is good.
    world.clock.advance(Duration::from_secs(3600));
    node.sync_revocations().await.expect("memory");
    assert!(has_ended(&mut there).await && !has_ended(&mut others).await);
}

#[tokio::test]
async fn a_ticket_lets_its_user_in_once_as_long_as_the_session_goes_on() {
    let world = World::new();
    let user = world.register("ada@example.org").await;
    let signed_in = world.login().await;
    let principal = world.accounts.authenticate(&signed_in.token).expect("signed in");
    let first = world.accounts.issue_ticket(&principal).await.expect("room");
    let second = world.accounts.issue_ticket(&principal).await.expect("room");
    assert_eq!(first.expires_in, Duration::from_secs(30));
    let shown = world.accounts.redeem_ticket(&first.text).await.expect("good");
    assert_eq!((shown.user_id, shown.session_id), (user.id, principal.session_id));
    for none in [&first.text, "", &signed_in.token, &signed_in.refresh_token] {
        assert!(is_unauthorized(world.accounts.redeem_ticket(none).await), "{none}");
    }
    assert!(is_unauthorized(world.accounts.refresh(&second.text).await), "it is good for nothing else");
    assert!(!format!("{second:?} {:?}", world.accounts).contains(&second.text));
    world.accounts.logout(&principal).await.expect("ended");
    assert!(is_unauthorized(world.accounts.redeem_ticket(&second.text).await));
}

#[tokio::test]
async fn of_one_user_the_hundred_newest_sessions_go_on() {
    let world = World::new();
    world.register("ada@example.org").await;
    world.register("bob@example.org").await;
    let bob =
        world.accounts.login("bob@example.org", PASSWORD.to_owned()).await.expect("right").signed_in().expect("in");
    let mut all = Vec::new();
    for _ in 0..105 {
        all.push(world.login().await);
        world.clock.advance(Duration::from_millis(1));
    }
    let principal = world.accounts.authenticate(&all[104].token).expect("signed in");
    assert_eq!(world.accounts.sessions(&principal).await.expect("memory").len(), 100);
    for (number, signed_in) in all.iter().enumerate() {
        assert_eq!(world.accounts.authenticate(&signed_in.token).is_ok(), number >= 5, "{number}");
    }
    assert!(world.accounts.authenticate(&bob.token).is_ok(), "another's are not counted");
    // Also where many begin at one moment, or this one by a clock that is behind, it goes on.
    for _ in 0..120 {
        assert!(world.accounts.authenticate(&world.login().await.token).is_ok());
    }
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_however_often_it_is_refreshed() {
    let world = World::new();
    world.register("ada@example.org").await;
    let mut token = world.login().await.refresh_token;
    for _ in 0..29 {
        world.clock.advance(Duration::from_secs(86_400));
        token = world.accounts.refresh(&token).await.expect("rotated").refresh_token;
    }
    world.clock.advance(Duration::from_secs(86_400));
    assert!(is_unauthorized(world.accounts.refresh(&token).await));
}

#[tokio::test]
async fn a_user_of_a_bcrypt_system_logs_in_and_is_upgraded() {
    let world = World::new();
    // From the reference vectors of Openwall's bcrypt.
    let (password, hash) = ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK");
    let email = Email::new("old@example.org").expect("an address");
    let user = User {
        id: UserId::from_bytes([5; 16]),
        email: email.clone(),
        display_name: DisplayName::new("Old").expect("a name"),
        roles: vec![Role::User],
        created_at: Timestamp::from_millis(0),
    };
    assert_eq!(world.store.create_user(&user, &PasswordHash::new(hash)).await.expect("memory"), CreateUser::Created);
    let _ = world.accounts.login("old@example.org", password.to_owned()).await.expect("signed in");
    let (_, upgraded) = world.store.user_by_email(&email).await.expect("memory").expect("there");
    assert!(upgraded.expose().starts_with("$argon2id$"));
    let _ = world.accounts.login("old@example.org", password.to_owned()).await.expect("signed in again");
}

#[tokio::test]
async fn a_server_key_is_told_once_and_known_by_its_hash() {
    let world = World::new();
    let id = KeyId::new("eu_west-1").expect("slug");
    let text = world.accounts.create_server_key(&id).await.expect("made");
    assert!(world.accounts.create_server_key(&id).await.is_err(), "taken");
    assert_eq!(world.accounts.authenticate_server(&text).await.expect("known"), id);
    let mut forged = text.clone();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    for bad in [forged.as_str(), "", "sbs_", "sbs_eu_west-1_", "eu_west-1", &text[4..]] {
        assert!(is_unauthorized(world.accounts.authenticate_server(bad).await), "{bad}");
    }
}

#[test]
fn no_secret_is_shown_by_debug() {
    let secret = "do-not-show-this";
    let shown = [
        format!("{:?}", registration(secret, secret, secret)),
        format!("{:?}", PasswordHash::new(secret)),
        format!("{:?}", Email::new("do-not-show-this@example.org").expect("an address")),
    ];
    for text in shown {
        assert!(!text.contains(secret), "{text}");
    }
}
