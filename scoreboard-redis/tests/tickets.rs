//! Tickets that one node has given out and another takes, over a real Redis: on one server, and on a cluster.

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use scoreboard_core::accounts::{AccountError, Accounts, AccountsConfig, Hashing, Principal, Registration};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{BackendError, ErrorKind, KeyRing, OneTimeStore, RandomIds};
use scoreboard_redis::{Config, Redis, RedisOneTimeStore};
use support::server::Process;
use support::{config, shared_cluster, single};

const PASSWORD: &str = "correct horse battery staple";
const LIFETIME: Duration = Duration::from_secs(30);

/// Two nodes on one store of accounts, with one ring and one Redis, and a user who is signed in.
struct World {
    clock: ManualClock,
    store: Arc<MemoryAccountStore>,
    ring: KeyRing,
    nodes: [Accounts; 2],
    shared: RedisOneTimeStore,
    ada: Principal,
}

impl World {
    async fn on(config: &Config) -> Self {
        let (clock, store, ring) =
            (ManualClock::default(), Arc::new(MemoryAccountStore::default()), KeyRing::random(&RandomIds));
        let mut cheap = AccountsConfig::default();
        cheap.hashing = Hashing::Argon2id { memory_kib: 32, iterations: 1 };
        let shared = || RedisOneTimeStore::new(Redis::new(config).expect("a handle"));
        let nodes = [(); 2].map(|()| {
            let node = Accounts::builder(store.clone(), &ring).with_config(cheap.clone());
            node.with_clock(Arc::new(clock.clone())).with_shared_tickets(Arc::new(shared())).build()
        });
        let email = "ada@example.org".to_owned();
        let registration =
            Registration { email: email.clone(), password: PASSWORD.to_owned(), display_name: "ada".to_owned() };
        nodes[0].register(registration).await.expect("registered");
        let login = nodes[0].login(&email, PASSWORD.to_owned()).await.expect("logged in");
        let ada = nodes[0].authenticate(&login.signed_in().expect("no second factor").token).expect("good");
        Self { clock, store, ring, nodes, shared: shared(), ada }
    }

    async fn ticket(&self) -> String {
        self.nodes[0].issue_ticket(&self.ada).await.expect("room").text
    }

    async fn is_good_at(&self, node: usize, ticket: &str) -> bool {
        match self.nodes[node].redeem_ticket(ticket).await {
            Ok(principal) => {
                assert_eq!(principal, self.ada);
                true
            }
            Err(AccountError::Unauthorized) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_one_node_is_good_at_any_once_and_in_its_time() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let world = World::on(&config(&url)).await;
        for (first, second) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
            let ticket = world.ticket().await;
            assert!(world.is_good_at(first, &ticket).await, "at {first}");
            assert!(!world.is_good_at(second, &ticket).await, "used at {first}, and shown at {second}");
        }
        for _ in 0..20 {
            let ticket = world.ticket().await;
            let shown = join_all((0..16).map(|n| world.is_good_at(n % 2, &ticket))).await;
            assert_eq!(shown.iter().filter(|&&is_good| is_good).count(), 1, "of many at once");
        }
        let (late, over) = (world.ticket().await, world.ticket().await);
        world.clock.advance(LIFETIME - Duration::from_millis(1));
        assert!(world.is_good_at(1, &late).await);
        world.clock.advance(Duration::from_millis(1));
        assert!(!world.is_good_at(1, &over).await && !world.is_good_at(0, &over).await);
        let of_ended = world.ticket().await;
        world.nodes[1].logout(&world.ada).await.expect("ended");
        assert!(!world.is_good_at(1, &of_ended).await, "its session has been ended");
    }
}

/// Takes for a ticket whatever somebody has written.
#[derive(Debug)]
struct Written(Vec<u8>);

#[async_trait::async_trait]
impl OneTimeStore for Written {
    async fn put(&self, _: &[u8; 32], _: &[u8], _: Duration) -> Result<(), BackendError> {
        Ok(())
    }

    async fn take(&self, _: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(Some(self.0.clone()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_goes_by_its_own_lifetime_and_is_taken_once() {
    let world = World::on(&config(single())).await;
    let (kept, short) = ([1; 32], [2; 32]);
    world.shared.put(&kept, b"\0\xffsigned", LIFETIME).await.expect("kept");
    world.shared.put(&short, b"x", Duration::from_millis(1)).await.expect("kept");
    // By Redis' own clock, and nothing tells of it: whoever looked would take it.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(world.shared.take(&short).await.expect("Redis answers"), None);
    assert_eq!(world.shared.take(&kept).await.expect("Redis answers").as_deref(), Some(&b"\0\xffsigned"[..]));
    assert_eq!(world.shared.take(&kept).await.expect("Redis answers"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_write_to_redis_can_make_up_no_ticket() {
    let ring = KeyRing::random(&RandomIds);
    // The last but one is as long as one, and good for ever.
    for written in [&b""[..], b"x", &[0; 49], &[0x7f; 81], &[0xff; 200]] {
        let accounts = Accounts::builder(Arc::new(MemoryAccountStore::default()), &ring)
            .with_shared_tickets(Arc::new(Written(written.to_vec())))
            .build();
        let shown = accounts.redeem_ticket(&"A".repeat(43)).await;
        assert!(matches!(shown, Err(AccountError::Unauthorized)), "{written:?}: {shown:?}");
    }
}

/// Keeps what it is given, and nobody hears of it.
#[derive(Debug)]
struct Unheard(RedisOneTimeStore);

#[async_trait::async_trait]
impl OneTimeStore for Unheard {
    async fn put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), BackendError> {
        self.0.put(name, signed, lifetime).await?;
        Err(BackendError::new(ErrorKind::OutcomeUnknown, "unheard", "put"))
    }

    async fn take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError> {
        self.0.take(name).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_may_be_kept_for_all_is_not_given_out_as_one_of_this_node() {
    let mut world = World::on(&config(single())).await;
    let (shared, ring) = (Arc::new(Unheard(world.shared.clone())), &world.ring);
    let node = Accounts::builder(world.store.clone(), ring).with_clock(Arc::new(world.clock.clone()));
    world.nodes[0] = node.with_shared_tickets(shared).build();
    let ticket = world.ticket().await;
    assert!(!world.is_good_at(1, &ticket).await, "it would be good here as well");
    assert!(world.is_good_at(0, &ticket).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_ticket_is_good_where_it_was_given_and_never_twice() {
    let mut server = Process::start(&[]);
    let world = World::on(&config(&server.url())).await;
    let before = world.ticket().await;
    server.kill();
    let refused = world.nodes[0].redeem_ticket(&before).await;
    assert!(
        matches!(refused, Err(AccountError::Backend(_))),
        "the other may have taken it, and nobody can tell: {refused:?}"
    );
    // Also of the first, of which nobody can tell whether Redis has it.
    for _ in 0..20 {
        let ticket = world.ticket().await;
        assert!(world.is_good_at(0, &ticket).await);
        for node in [0, 1] {
            assert!(world.nodes[node].redeem_ticket(&ticket).await.is_err(), "used, or never known, at {node}");
        }
    }
}
