//! One bot: register → log in → start an action → take the time it takes → hand it in, again and again.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scoreboard_core::{BoardId, IdSourceExt, RandomIds};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::demo::client::{Answer, Client};
use crate::demo::{Tally, below};
use crate::failure::{Failure, Result};

/// How long a bot waits where the server does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that a bot waits, whatever the server says.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How many failures in a row a bot bears.
const PATIENCE: u32 = 10;

/// A kind of action from the board's catalogue.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    name: String,
    range: Option<(i64, i64)>,
    takes: Duration,
}

/// The kinds of actions of a board.
pub(super) async fn kinds(client: &Client, board: &BoardId) -> Result<Vec<Kind>> {
    let answer = client.get("/api/scoreboard/boards").await?;
    let boards = answer.body["boards"].as_array();
    let Some(boards) = boards.filter(|_| answer.status.is_success()) else {
        return Err(Failure::new(format_args!("{} answered {}: is it a scoreboard?", client.base(), answer.status)));
    };
    let found = boards.iter().find(|found| found["id"] == board.as_str());
    let found = found.ok_or_else(|| Failure::new(format_args!("{} has no board `{board}`", client.base())))?;
    let kinds = found["kinds"].as_array().into_iter().flatten();
    Ok(kinds
        .filter_map(|kind| {
            let range = kind["pointsRange"].as_array().map(|range| (range.first(), range.get(1)));
            Some(Kind {
                name: kind["kind"].as_str()?.to_owned(),
                range: match range {
                    Some((min, max)) => Some((min?.as_i64()?, max?.as_i64()?)),
                    None => None,
                },
                takes: Duration::from_secs(kind["minDurationSeconds"].as_u64()?),
            })
        })
        .collect())
}

/// A bot and its account.
#[derive(Debug)]
pub(super) struct Bot {
    client: Client,
    board: BoardId,
    kinds: Arc<Vec<Kind>>,
    tally: Arc<Tally>,
    name: String,
    email: String,
    password: String,
}

/// Why a step was not done.
enum Stop {
    /// Ask again later.
    Wait(Duration),
    /// The token is no longer good.
    LogIn,
    /// This did not work, the next may.
    Failed(Failure),
}

impl Bot {
    pub(super) fn new(client: Client, board: BoardId, kinds: Arc<Vec<Kind>>, tally: Arc<Tally>, number: u16) -> Self {
        let [name, password] =
            [RandomIds.secret(), RandomIds.secret()].map(|secret| URL_SAFE_NO_PAD.encode(&secret[..18]));
        let email = format!("bot-{}@demo.invalid", name.to_lowercase());
        Self { client, board, kinds, tally, name: format!("Bot {number}"), email, password }
    }

    /// Plays until it is stopped from outside, or nothing works any more: then this is why.
    pub(super) async fn play(self) -> Failure {
        let mut registered = false;
        let mut token: Option<String> = None;
        let mut failures = 0;
        loop {
            let step = match (&token, registered) {
                (None, false) => self.register().await.map(|()| registered = true),
                (None, true) => self.log_in().await.map(|fresh| token = Some(fresh)),
                (Some(token), _) => self.one_action(token).await,
            };
            match step {
                Ok(()) => failures = 0,
                Err(Stop::Wait(pause)) => {
                    Tally::add(&self.tally.waits, 1);
                    sleep(pause.min(MAX_PAUSE)).await;
                }
                Err(Stop::LogIn) => token = None,
                Err(Stop::Failed(failure)) => {
                    Tally::add(&self.tally.failures, 1);
                    failures += 1;
                    if failures >= PATIENCE {
                        return failure;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn register(&self) -> Result<(), Stop> {
        let body = json!({"email": self.email, "password": self.password, "displayName": self.name});
        match self.post("/api/auth/register", None, &body).await {
            Ok(_) => {}
            // The answer to the first try was lost.
            Err(Stop::Failed(failure)) if failure.to_string().contains("409") => {}
            Err(stop) => return Err(stop),
        }
        Tally::add(&self.tally.playing, 1);
        Ok(())
    }

    async fn log_in(&self) -> Result<String, Stop> {
        let body = json!({"email": self.email, "password": self.password});
        let answer = self.post("/api/auth/login", None, &body).await?;
        let token = answer["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Stop::Failed(Failure::new("the login gave no token")))
    }

    async fn one_action(&self, token: &str) -> Result<(), Stop> {
        let index = usize::try_from(below(self.kinds.len() as u64)).unwrap_or(0);
        let Some(kind) = self.kinds.get(index) else { return Ok(()) };
        let mut body = json!({"board": self.board, "kind": kind.name});
        if let Some((min, max)) = kind.range {
            let width = u64::try_from(max - min).unwrap_or(0);
            body["points"] = json!(min + i64::try_from(below(width.saturating_add(1))).unwrap_or(0));
        }
        let started = self.post("/api/scoreboard/generate-action", Some(token), &body).await?;
        // A person is never exactly as fast as it can be done.
        sleep(kind.takes + Duration::from_millis(100 + below(900))).await;
        let handed_in = json!({"action": started["action"]});
        let receipt = loop {
            match self.post("/api/scoreboard/update", Some(token), &handed_in).await {
                Ok(answer) => break answer["receipt"].clone(),
                // The action is still good: it is handed in again, not started again.
                Err(Stop::Wait(pause)) => {
                    Tally::add(&self.tally.waits, 1);
                    sleep(pause.min(MAX_PAUSE)).await;
                }
                Err(stop) => return Err(stop),
            }
        };
        Tally::add(&self.tally.updates, 1);
        Tally::add(&self.tally.points, receipt["points"].as_u64().unwrap_or(0));
        Ok(())
    }

    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value, Stop> {
        let Answer { status, retry_after, body } = self.client.post(path, token, body).await.map_err(Stop::Failed)?;
        match status {
            status if status.is_success() => Ok(body),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(Stop::Wait(retry_after.unwrap_or(PAUSE)))
            }
            StatusCode::UNAUTHORIZED if token.is_some() => Err(Stop::LogIn),
            status => {
                let code = body["code"].as_str().unwrap_or("no code");
                Err(Stop::Failed(Failure::new(format_args!("{path} answered {} ({code})", status.as_u16()))))
            }
        }
    }
}
