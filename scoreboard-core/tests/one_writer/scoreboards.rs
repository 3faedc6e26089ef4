//! Whole scoreboards on one store, of which one writes for both: what each does besides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionId, ActionKind, BackendError, Board, BoardId, BoardSpec, Broadcaster, Builder, Claims, FraudDetector,
    IssueRequest, IssueVerdict, OneWriter, Points, PointsRule, Position, ScoreStore, Scoreboard, Timestamp, TopQuery,
    UserId, Verdict, VerifiedAction,
};
use tokio::task::JoinHandle;

use crate::network::Network;
use crate::{Now, change, settle, store};

struct Node {
    scoreboard: Scoreboard,
    serving: JoinHandle<()>,
}

impl Node {
    fn start(
        store: &MemoryScoreStore,
        network: &Arc<Network>,
        name: &str,
        equip: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let writer = OneWriter::new(Arc::new(store.clone()), None, network.line(name), Arc::new(Now(1)));
        let builder = Scoreboard::builder(Arc::new(writer.clone())).with_turns(Arc::new(writer.clone()));
        let scoreboard = equip(builder).build();
        let serving = tokio::spawn(writer.serve(scoreboard.store()));
        Self { scoreboard, serving }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_wrote_is_announced_by_that_one_alone_and_nothing_older_is_shown() {
    let (store, network) = (store().await, Network::new());
    let told = [(); 2].map(|()| Arc::new(Told::default()));
    let nodes = [("a", &told[0]), ("b", &told[1])]
        .map(|(name, told)| Node::start(&store, &network, name, |builder| builder.with_broadcaster(told.clone())));
    settle().await;
    let counts = async |node: usize, number: u16| {
        let outcomes = nodes[node].scoreboard.store().apply(&[change(number, "main")]).await.expect("applied");
        let version = outcomes[0].receipt().expect("it counts").version;
        // It has kept the page from before.
        let page = nodes[node].scoreboard.top_encoded(&TopQuery::new(BoardId::main())).await.expect("memory");
        assert!(page.position.version >= version, "{:?} is older than {version}", page.position);
        settle().await;
    };
    let told = |node: usize| [&told[node].all, &told[node].here].map(|told| told.load(Ordering::SeqCst));
    for number in 0..10 {
        counts(usize::from(number % 2), number).await;
    }
    let (asked, [[all, here], [never, own]]) = (network.batches(), [told(0), told(1)]);
    for number in 10..50 {
        counts(usize::from(number % 2), number).await;
    }
    assert_eq!(network.batches() - asked, 20, "the second has the first write");
    assert_eq!([told(0), told(1)], [[all + 40, here], [never, own + 20]], "its own watchers, and nobody else");
}

#[tokio::test(start_paused = true)]
async fn an_action_is_settled_where_it_was_handed_in_and_nowhere_else() {
    let (store, network) = (MemoryScoreStore::default(), Network::new());
    let tap = ActionKind {
        kind: "tap".parse().expect("a slug"),
        points: PointsRule::Fixed(Points::new(1).expect("small")),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    let request = IssueRequest::new(BoardId::main(), tap.kind.clone());
    let spec = BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) };
    let _ = store.create_board(&spec).await.expect("memory");
    let settled = [(); 2].map(|()| Arc::new(Settled::default()));
    let nodes = [("a", &settled[0]), ("b", &settled[1])].map(|(name, settled)| {
        Node::start(&store, &network, name, |builder| builder.with_fraud_detector(settled.clone()))
    });
    settle().await;
    let mut expected = [Vec::new(), Vec::new()];
    for number in 0..40_u8 {
        let node = usize::from(number % 2);
        let (scoreboard, user) = (&nodes[node].scoreboard, UserId::from_bytes([number; 16]));
        let action = scoreboard.issue(user, request.clone()).await.expect("signed");
        let receipt = scoreboard.submit(user, action).await.expect("counted");
        expected[node].push(receipt.action_id);
        settle().await;
    }
    assert!(network.batches() > 10, "the first has written for the second");
    for (expected, settled) in expected.iter().zip(&settled) {
        assert_eq!(*settled.0.lock().expect("no panic"), *expected);
    }
}

/// What was settled at a node that believes all.
#[derive(Debug, Default)]
struct Settled(Mutex<Vec<ActionId>>);

#[async_trait]
impl FraudDetector for Settled {
    async fn on_issue(&self, _: &Claims, _: Timestamp) -> Result<IssueVerdict, BackendError> {
        Ok(IssueVerdict::Allow)
    }

    async fn on_submit(&self, _: &VerifiedAction, _: &Board, _: Timestamp) -> Result<Verdict, BackendError> {
        Ok(Verdict::Allow(None))
    }

    fn on_settled(&self, _: UserId, action: ActionId) {
        self.0.lock().expect("no panic").push(action);
    }
}

/// How often all were told anything, and who is at this node.
#[derive(Debug, Default)]
struct Told {
    all: AtomicUsize,
    here: AtomicUsize,
}

#[async_trait]
impl Broadcaster for Told {
    async fn publish(&self, _: &BoardId, _: Position) -> Result<(), BackendError> {
        self.all.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn publish_here(&self, _: &BoardId, _: Position) -> Result<(), BackendError> {
        self.here.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn subscribe(&self, _: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        Ok(stream::pending().boxed())
    }
}
