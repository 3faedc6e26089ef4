//! Words between nodes that do not arrive, and nodes that do not listen.

mod support;

use std::time::Duration;

use scoreboard_core::{BoardId, ErrorKind, Outcome, Peers, Refusal, Version};
use scoreboard_redis::{Config, Redis, RedisPeers};
use support::cluster::{Cluster, Sentinels, wait_until};
use support::peers::{Dropped, Node, answer_of, change, ring, they_talk, until};
use support::server::Process;
use support::{STORE, chain, config, single};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// As it is configured for use: 50 milliseconds a call.
fn as_it_is(url: &str) -> Config {
    let patient = config(url);
    Config { namespace: patient.namespace, ..Config::from_url(url).expect("a URL") }
}

/// Says it until it can be said.
async fn claim(node: &Node) {
    let start = Instant::now();
    while let Err(error) = node.peers.claim(&BoardId::main()).await {
        assert!(start.elapsed() < 10 * SECOND, "{}", chain(&error));
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_go_on_by_themselves_when_redis_is_back() {
    let mut server = Process::start(&[]);
    let config = as_it_is(&server.url());
    let (mut a, mut b) = (Node::new(&config).await, Node::new(&config).await);
    for _ in 0..2 {
        claim(&a).await;
        b.said.claim().await;
        they_talk(&a, &mut b).await;
        let changes = [change(1)];
        let mut asking = a.peers.ask(b.peers.name(), &changes, Version::ZERO);
        let ask = tokio::select! {
            told = &mut asking => panic!("{told:?}"),
            ask = b.said.ask() => ask,
        };
        server.kill();
        until("they miss it", || a.shows("listening: false") && b.shows("listening: false")).await;
        for _ in 0..10 {
            let told = timeout(SECOND, a.peers.ask(b.peers.name(), &changes, Version::ZERO)).await;
            let error = told.expect("it is told at once").expect_err("nobody hears it");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
            let told = timeout(SECOND, a.peers.claim(&BoardId::main())).await;
            let error = told.expect("it is told at once").expect_err("nobody hears it");
            assert!(error.is_retryable(), "{}", chain(&error));
        }
        server.restart();
        until("they listen", || a.shows("listening: true") && b.shows("listening: true")).await;
        claim(&a).await;
        b.said.claim().await;
        claim(&b).await;
        a.said.claim().await;
        // What was asked before is answered after.
        ask.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned)])));
        let told = timeout(15 * SECOND, asking).await.expect("it is answered");
        assert_eq!(told.expect("it is well").outcomes, [Outcome::Refused(Refusal::Banned)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_begins_without_redis() {
    let mut server = Process::start(&[]);
    let config = as_it_is(&server.url());
    server.kill();
    let peers = RedisPeers::new(Redis::new(&config).expect("a handle"), &ring(), STORE);
    let start = Instant::now();
    let _said = peers.listen().await.expect("it listens when Redis is there");
    assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
    let told = timeout(SECOND, peers.ask("nobody", &[change(1)], Version::ZERO)).await.expect("it is told at once");
    assert_eq!(told.expect_err("an answer could not be heard").kind(), ErrorKind::Unavailable);
    server.restart();
    let mut other = Node::new(&config).await;
    until("it listens", || format!("{peers:?}").contains("listening: true")).await;
    let start = Instant::now();
    while peers.claim(&BoardId::main()).await.is_err() {
        assert!(start.elapsed() < 10 * SECOND);
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(other.said.claim().await.0, peers.name());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_closed_is_made_again() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let (mut a, mut b) = (Node::new(&config).await, Node::new(&config).await);
    for _ in 0..5 {
        assert_eq!(server.cli(&["client", "kill", "type", "pubsub"]), "2");
        until("both listen again", || server.cli(&["pubsub", "numsub", &all(&config)]).ends_with("\n2")).await;
        until("they know", || a.shows("listening: true") && b.shows("listening: true")).await;
        they_talk(&a, &mut b).await;
        they_talk(&b, &mut a).await;
    }
}

fn all(config: &Config) -> String {
    format!("{}:peers:{STORE}", config.namespace)
}

#[tokio::test]
async fn who_listens_slowly_loses_words_and_keeps_a_bounded_number() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (fast, mut slow) = (Node::new(&config).await, Node::new(&config).await);
    for _ in 0..500 {
        fast.peers.claim(&BoardId::main()).await.expect("it is said");
    }
    until("what does not fit is lost", || dropped.count("full") == 500 - 64).await;
    // What is asked now is not taken, and who asks is told so.
    for n in 1..=3 {
        let told = timeout(15 * SECOND, fast.peers.ask(slow.peers.name(), &[change(1)], Version::ZERO)).await;
        let error = told.expect("it is answered").expect_err("nobody takes it");
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{}", chain(&error));
        assert_eq!(dropped.count("full"), 500 - 64 + n, "{dropped:?}");
    }
    for _ in 0..64 {
        slow.said.claim().await;
    }
    assert!(slow.said.now().is_none());
    they_talk(&fast, &mut slow).await;
}

#[tokio::test]
async fn what_is_heard_and_not_answered_is_bounded() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (a, b, mut slow) = (Node::new(&config).await, Node::new(&config).await, Node::new(&config).await);
    let name = slow.peers.name().to_owned();
    let (mut asks, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..100 {
        let (asker, name) = (if n % 2 == 0 { &a } else { &b }.peers.clone(), name.clone());
        waiting.push(tokio::spawn(async move { asker.ask(&name, &[change(1)], Version::ZERO).await }));
        if n < 64 {
            asks.push(slow.said.ask().await);
        } else {
            until("it is passed over", || dropped.count("full") == n - 63).await;
        }
    }
    assert!(slow.shows("answering: 64"), "{slow:?}");
    for ask in asks {
        ask.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned)])));
    }
    for told in futures_util::future::join_all(waiting.drain(..64)).await {
        let told = told.expect("it does not panic");
        assert_eq!(told.expect("it is answered").outcomes, [Outcome::Refused(Refusal::Banned)]);
    }
    until("all are answered", || slow.shows("answering: 0")).await;
    assert!(waiting.drain(..).all(|asking| !asking.is_finished()), "the others wait until their callers go");
    they_talk(&a, &mut slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_heard_is_answered_by_a_node_that_is_dropped() {
    let config = config(single());
    let (asker, answerer) = (Node::new(&config).await, Node::new(&config).await);
    let Node { peers, mut said } = answerer;
    let (changes, name) = ([change(1)], peers.name().to_owned());
    let mut asking = asker.peers.ask(&name, &changes, Version::ZERO);
    let ask = tokio::select! {
        told = &mut asking => panic!("{told:?}"),
        ask = said.ask() => ask,
    };
    drop(peers.clone());
    drop(peers);
    assert!(said.next().await.is_none(), "the stream ends with the last handle");
    ask.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned)])));
    let told = timeout(15 * SECOND, asking).await.expect("it is answered");
    assert_eq!(told.expect("it is well").outcomes, [Outcome::Refused(Refusal::Banned)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_that_is_cut_off_from_the_others_is_left() {
    let cluster = Cluster::start(&[]);
    let config = config(&cluster.url());
    let listeners = |server: &Process, channel: &str| !server.cli(&["pubsub", "numsub", channel]).ends_with("\n0");
    // One that listens to another server than the one that it is spoken to by.
    let (node, channel, deaf) = loop {
        let node = Node::new(&config).await;
        // By a connection that knows the whole cluster.
        node.peers.claim(&BoardId::main()).await.expect("it is said");
        let channel = format!("{}:peer:{}", config.namespace, node.peers.name());
        let listened = cluster.nodes.iter().find(|server| listeners(server, &channel)).expect("it listens to one");
        if cluster.node_of(&channel).port != listened.port {
            break (node, channel, listened);
        }
    };
    let id = |server: &Process| server.cli(&["cluster", "myid"]);
    for other in cluster.nodes.iter().filter(|server| server.port != deaf.port) {
        assert_eq!(other.cli(&["cluster", "forget", &id(deaf)]), "OK");
        assert_eq!(deaf.cli(&["cluster", "forget", &id(other)]), "OK");
    }
    let start = Instant::now();
    while listeners(deaf, &channel) {
        assert!(start.elapsed() < 30 * SECOND, "it goes on listening to who hears nothing");
        sleep(Duration::from_millis(20)).await;
    }
    until("it listens to another", || {
        cluster.nodes.iter().any(|server| server.port != deaf.port && listeners(server, &channel))
    })
    .await;
    drop(node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_meet_again_at_the_sentinels_new_master() {
    let sentinels = Sentinels::start();
    let config = Config { call_timeout: SECOND / 4, ..as_it_is(&sentinels.url()) };
    let (a, mut b) = (Node::new(&config).await, Node::new(&config).await);
    they_talk(&a, &mut b).await;
    let name = b.peers.name().to_owned();
    // The old one lives on as a replica, and takes what is said there: nobody hears it any more.
    let before = sentinels.master_port();
    assert_eq!(sentinels.sentinels[0].cli(&["sentinel", "failover", Sentinels::MASTER]), "OK");
    wait_until("the sentinels name another master", || sentinels.master_port() != before);
    let old = sentinels.servers.iter().find(|server| server.port == before).expect("one of them");
    wait_until("the old one is a replica", || old.cli(&["role"]).starts_with("slave"));
    let start = Instant::now();
    loop {
        let answering = async {
            b.said.ask().await.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned)])));
            std::future::pending::<()>().await;
        };
        let changes = [change(1)];
        let told = tokio::select! {
            told = timeout(SECOND, a.peers.ask(&name, &changes, Version::ZERO)) => told,
            () = answering => unreachable!("it goes on"),
        };
        if matches!(told, Ok(Ok(_))) && !old.cli(&["pubsub", "channels"]).contains(&name) {
            break;
        }
        assert!(start.elapsed() < 20 * SECOND, "{told:?}");
        sleep(Duration::from_millis(20)).await;
    }
}
