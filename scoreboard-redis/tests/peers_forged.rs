//! What nodes do not believe: words that no holder of their keys has said, to them, now.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use scoreboard_core::{BoardId, Change, KeyRing, Outcome, Peers, Refusal, Version};
use scoreboard_redis::Config;
use scoreboard_redis::redis::{self, AsyncCommands, aio::MultiplexedConnection, aio::PubSub};
use serde::Serialize;
use sha2::Sha256;
use support::peers::{Dropped, Node, answer_of, change, keys, ring, ring_of, they_talk, until};
use support::{STORE, config, single};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(15);
const CLAIM: u8 = 0;
const ASK: u8 = 1;
const ANSWER: u8 = 2;
const REFUSED: [Outcome; 1] = [Outcome::Refused(Refusal::UnknownBoard)];

/// Somebody who can do anything on Redis, and has no key.
struct Intruder {
    connection: MultiplexedConnection,
    ear: PubSub,
    config: Config,
}

impl Intruder {
    /// Hears what is said to all, and to these nodes.
    async fn new(config: &Config, nodes: &[&Node]) -> Self {
        let client = redis::Client::open(single()).expect("a URL");
        let mut ear = client.get_async_pubsub().await.expect("it connects");
        let intruder = client.get_multiplexed_async_connection().await.expect("it connects");
        let mut channels = vec![format!("{}:peers:{STORE}", config.namespace)];
        channels.extend(nodes.iter().map(|node| to(config, node)));
        ear.subscribe(channels).await.expect("it listens");
        Self { connection: intruder, ear, config: config.clone() }
    }

    /// The next word that is said.
    async fn overhears(&mut self) -> Vec<u8> {
        let message = timeout(LONG, self.ear.on_message().next()).await.expect("something is said");
        message.expect("the connection stands").get_payload_bytes().to_vec()
    }

    async fn says(&mut self, channel: &str, word: &[u8]) {
        let heard: u64 = self.connection.publish(channel, word).await.expect("it is said");
        assert!(heard > 0, "somebody listens on {channel}");
        // What it says itself it does not overhear.
        if channel == self.to_all() || heard > 1 {
            assert_eq!(self.overhears().await, word);
        }
    }

    fn to_all(&self) -> String {
        format!("{}:peers:{STORE}", self.config.namespace)
    }
}

/// The channel of a node.
fn to(config: &Config, node: &Node) -> String {
    format!("{}:peer:{}", config.namespace, node.peers.name())
}

/// The first byte of each word.
const FORMAT: u8 = 2;

/// A word as its format is documented, written a second time: by a key of this ring and this id, as this node.
fn sealed(
    ring: &KeyRing,
    key: &str,
    channel: &str,
    (kind, from, number): (u8, &str, u64),
    body: &impl Serialize,
) -> Vec<u8> {
    let mut word = vec![FORMAT];
    word = postcard::to_extend(&(kind, key, from, number), word).expect("it is written");
    word = postcard::to_extend(body, word).expect("it is written");
    let keys = ring.derive("peers");
    let (_, secret) = keys.iter().find(|(id, _)| id.as_str() == key).unwrap_or(&keys[0]);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("any length");
    mac.update(&(channel.len() as u64).to_be_bytes());
    mac.update(channel.as_bytes());
    mac.update(&word);
    word.extend(mac.finalize().into_bytes());
    word
}

/// Who overhears the request of one node to another, and what it said.
async fn overheard(config: &Config, asker: &Node, answerer: &mut Node) -> (Intruder, Vec<u8>, Vec<u8>) {
    let mut intruder = Intruder::new(config, &[asker, answerer]).await;
    they_talk(asker, answerer).await;
    let (request, answer) = (intruder.overhears().await, intruder.overhears().await);
    (intruder, request, answer)
}

#[tokio::test]
async fn a_request_is_taken_once_and_by_who_was_asked() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (mut asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let mut third = Node::new(&config).await;
    let (mut intruder, request, answer) = overheard(&config, &asker, &mut answerer).await;
    // The same again, to who was asked.
    for _ in 0..3 {
        intruder.says(&to(&config, &answerer), &request).await;
    }
    until("repeats are passed over", || dropped.count("repeated") == 3).await;
    // To others, and to all.
    for channel in [to(&config, &third), to(&config, &asker), intruder.to_all()] {
        intruder.says(&channel, &request).await;
    }
    until("what was said to another is passed over", || dropped.count("forged") == 5).await;
    // To the same node, had it the same name elsewhere.
    intruder.says(&to(&config, &answerer), &answer).await;
    until("an answer to another is passed over", || dropped.count("forged") == 6).await;
    intruder.says(&to(&config, &asker), &answer).await;
    until("an answer that nobody waits for is passed over", || dropped.count("unasked") == 1).await;
    assert!(asker.said.now().is_none() && answerer.said.now().is_none() && third.said.now().is_none());
    they_talk(&asker, &mut answerer).await;
    assert_eq!(dropped.all(), 10, "{dropped:?}");
}

#[tokio::test]
async fn nothing_that_was_altered_on_its_way_is_heard() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let (mut intruder, request, _) = overheard(&config, &asker, &mut answerer).await;
    let channel = to(&config, &answerer);
    let mut said = 0;
    for at in 0..request.len() {
        let mut altered = request.clone();
        altered[at] ^= 1 << (at % 8);
        for word in [altered.as_slice(), &request[..at], &request[at + 1..]] {
            intruder.says(&channel, word).await;
            said += 1;
        }
    }
    until("all is passed over", || dropped.all() == said).await;
    assert!(dropped.count("forged") > said / 4 && dropped.count("unreadable") > said / 4, "{dropped:?}");
    assert_eq!(dropped.count("repeated"), 0, "{dropped:?}");
    assert!(answerer.said.now().is_none());
    they_talk(&asker, &mut answerer).await;
}

#[tokio::test]
async fn only_who_was_asked_can_answer_and_only_what_was_asked() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let third = Node::new(&config).await;
    let (mut intruder, ..) = overheard(&config, &asker, &mut answerer).await;
    let (ring, channel) = (ring(), to(&config, &asker));
    let changes = [change(1)];
    let mut asking = asker.peers.ask(answerer.peers.name(), &changes, Version::ZERO);
    let ask = tokio::select! {
        told = &mut asking => panic!("{told:?}"),
        ask = answerer.said.ask() => ask,
    };
    let request = intruder.overhears().await;
    let number = number(&request);
    // It applied nothing, and so nobody may say that it did.
    let body: ([u8; 2], Vec<(u8, u8)>, [u8; 1]) = ([0, 0], vec![(2, 5)], [0]);
    let right = answerer.peers.name();
    let forged = [
        sealed(&ring_of(&[("k1", 9)]), "k1", &channel, (ANSWER, right, number), &body),
        sealed(&ring, "k9", &channel, (ANSWER, right, number), &body),
        sealed(&ring, "k1", &to(&config, &answerer), (ANSWER, right, number), &body),
    ];
    for word in &forged {
        intruder.says(&channel, word).await;
    }
    until("what no key has signed is passed over", || dropped.count("forged") == 3).await;
    // Signed well, by nodes: of another, of itself, to another request.
    for (from, number) in [(third.peers.name(), number), (asker.peers.name(), number), (right, number + 1)] {
        intruder.says(&channel, &sealed(&ring, "k1", &channel, (ANSWER, from, number), &body)).await;
    }
    until("what answers nothing is passed over", || dropped.count("unasked") == 3).await;
    // Signed well, and no answer.
    intruder.says(&channel, &sealed(&ring, "k1", &channel, (ANSWER, right, number), &"what?")).await;
    until("what is no answer is passed over", || dropped.count("unreadable") == 1).await;
    assert!(asker.shows("waiting: 1"), "{asker:?}");
    ask.answer(Ok(answer_of(REFUSED.to_vec())));
    let told = timeout(LONG, asking).await.expect("it is answered");
    assert_eq!(told.expect("by who was asked").outcomes, REFUSED);
    // And who has the key is believed: it was for nothing else that the words before were passed over.
    let mut asking = asker.peers.ask(answerer.peers.name(), &changes, Version::ZERO);
    let _unanswered = tokio::select! {
        told = &mut asking => panic!("{told:?}"),
        ask = answerer.said.ask() => ask,
    };
    let number = loop {
        let word = intruder.overhears().await;
        if word[1] == ASK {
            break self::number(&word);
        }
    };
    intruder.says(&channel, &sealed(&ring, "k1", &channel, (ANSWER, right, number), &body)).await;
    let told = timeout(LONG, asking).await.expect("it is answered");
    assert_eq!(told.expect("it is believed").outcomes, [Outcome::Refused(Refusal::Banned)]);
    assert_eq!(dropped.all(), 7, "{dropped:?}");
}

/// The number of a request.
fn number(request: &[u8]) -> u64 {
    let (_, rest) = postcard::take_from_bytes::<(u8, u8, &str, &str)>(request).expect("a header");
    postcard::take_from_bytes(rest).expect("a number").0
}

#[tokio::test]
async fn whoever_has_no_key_in_force_is_not_heard() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let strangers = [ring_of(&[("k1", 2)]), ring_of(&[("k2", 1)])];
    for (n, ring) in strangers.iter().enumerate() {
        let stranger = Node::with(&config, ring).await;
        stranger.peers.claim(&BoardId::main()).await.expect("it is said");
        let changes = [change(1)];
        // The claim is heard by two of the others, the request by one.
        let passed_over = 3 * (n as u64 + 1);
        tokio::select! {
            told = stranger.peers.ask(answerer.peers.name(), &changes, Version::ZERO) => panic!("{told:?}"),
            () = until("strangers are passed over", || dropped.count("forged") == passed_over) => {}
        }
    }
    assert!(answerer.said.now().is_none());
    they_talk(&asker, &mut answerer).await;
}

#[tokio::test]
async fn keys_change_under_running_nodes() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let rings = [ring(), ring()];
    let (mut a, mut b) = (Node::with(&config, &rings[0]).await, Node::with(&config, &rings[1]).await);
    they_talk(&a, &mut b).await;
    // One node after the other learns the new key, and one after the other signs with it.
    for (n, now) in [
        (0, vec![("k1", 1), ("k2", 2)]),
        (1, vec![("k1", 1), ("k2", 2)]),
        (0, vec![("k2", 2), ("k1", 1)]),
        (1, vec![("k2", 2), ("k1", 1)]),
        (0, vec![("k2", 2)]),
        (1, vec![("k2", 2)]),
    ] {
        rings[n].replace(keys(&now), vec![]).expect("sound");
        they_talk(&a, &mut b).await;
        they_talk(&b, &mut a).await;
    }
    assert_eq!(dropped.all(), 0, "{dropped:?}");
    // One that is revoked verifies no more, on the node that knows.
    rings[0].replace(keys(&[("k3", 3)]), keys(&[("k2", 2)])).expect("sound");
    b.peers.claim(&BoardId::main()).await.expect("it is said");
    until("what a revoked key signed is passed over", || dropped.count("forged") == 1).await;
    rings[1].replace(keys(&[("k3", 3)]), keys(&[("k2", 2)])).expect("sound");
    they_talk(&b, &mut a).await;
}

#[tokio::test]
async fn an_old_claim_is_heard_once() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (a, mut b) = (Node::new(&config).await, Node::new(&config).await);
    let mut intruder = Intruder::new(&config, &[]).await;
    a.peers.claim(&BoardId::main()).await.expect("it is said");
    let claim = intruder.overhears().await;
    b.said.claim().await;
    let channel = intruder.to_all();
    intruder.says(&channel, &claim).await;
    until("it is passed over", || dropped.count("repeated") == 1).await;
    // And where it was never heard, 128 words are enough to make it too old.
    let (ring, name) = (ring(), "intruder");
    for number in [1000, 872, 873, 872] {
        let word = sealed(&ring, "k1", &channel, (CLAIM, name, number), &"main");
        intruder.says(&channel, &word).await;
    }
    assert_eq!((b.said.claim().await.0, b.said.claim().await.0), (name.to_owned(), name.to_owned()));
    until("they are too old", || dropped.count("repeated") == 1 + 4).await;
    assert!(b.said.now().is_none());
}

#[tokio::test]
async fn garbage_on_either_channel_is_passed_over() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let mut intruder = Intruder::new(&config, &[]).await;
    let (all, one, ring) = (intruder.to_all(), to(&config, &answerer), ring());
    let long = vec![FORMAT; 2 << 20];
    let header = |from: &str| postcard::to_extend(&(ASK, "k1", from, 1_u64), vec![FORMAT]).expect("it is written");
    let garbage: Vec<Vec<u8>> = [
        vec![],
        vec![0],
        vec![FORMAT],
        vec![FORMAT; 100],
        vec![FORMAT - 1; 100],
        vec![255; 100],
        b"other-node 1 1.1 main".to_vec(),
        "\u{1}\u{7f}\u{ff}\r\n".into(),
        long,
        header("a"),
        [header(""), vec![0; 40]].concat(),
        [header("a"), vec![0; 40]].concat(),
    ]
    .into();
    let mut said = 0;
    for word in &garbage {
        intruder.says(&one, word).await;
        intruder.says(&all, word).await;
        // To all are two.
        said += 3;
    }
    // Signed well, and yet nothing: of a node of another release, say.
    let values = (vec![(1, [0_u8; 16])], "Not A Slug", -1_i64);
    for (channel, kind, hear) in [(&one, ASK, 1), (&all, CLAIM, 2), (&one, 99, 1), (&all, 99, 2)] {
        intruder.says(channel, &sealed(&ring, "k1", channel, (kind, "other", 1 + said), &values)).await;
        said += hear;
    }
    until("all is passed over", || dropped.all() == said).await;
    assert!(answerer.said.now().is_none(), "{dropped:?}");
    they_talk(&asker, &mut answerer).await;
}

/// The test's own words are heard where they are right, so that those that are not heard are wrong in what they say they are.
#[tokio::test]
async fn whoever_has_a_key_is_a_node() {
    let config = config(single());
    let mut node = Node::new(&config).await;
    let mut intruder = Intruder::new(&config, &[]).await;
    let (channel, ring) = (to(&config, &node), ring());
    let asked = change(1);
    let Change { action_id, fingerprint, user_id, .. } = &asked;
    let row = (
        (action_id.as_bytes(), fingerprint.as_bytes(), "main", 1_u32),
        (user_id.as_bytes(), "win", 10_i64, 0_u8, asked.at.as_millis(), None::<(u32, i64)>, None::<(u32, u64, i64)>),
    );
    intruder.says(&channel, &sealed(&ring, "k1", &channel, (ASK, "other", 1), &(0_u64, vec![row]))).await;
    assert_eq!(node.said.ask().await.changes(), [asked]);
}
