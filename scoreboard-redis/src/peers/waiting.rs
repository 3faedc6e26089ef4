//! Requests that wait for their answers.

use std::collections::HashMap;

use parking_lot::Mutex;
use scoreboard_core::{Answer, ErrorKind};
use tokio::sync::oneshot;

use crate::error::Failure;

/// So many requests wait at most.
pub(super) const MAX: usize = 64;

/// What another node says became of a request.
pub(super) type Told = Result<Answer, ErrorKind>;

/// By the number of the request.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<u64, Request>>);

#[derive(Debug)]
struct Request {
    /// Who was asked: nobody else may answer.
    node: String,
    answer: oneshot::Sender<Told>,
}

impl Waiting {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// A place for the answer of this node to this request, until it is dropped.
    pub(super) fn place(&self, node: &str, number: u64) -> Result<Place<'_>, Failure> {
        let mut requests = self.0.lock();
        if requests.len() >= MAX {
            return Err(Failure::TooManyAsked);
        }
        let (answer, answered) = oneshot::channel();
        requests.insert(number, Request { node: node.to_owned(), answer });
        Ok(Place { waiting: self, number, answered })
    }

    /// Whether this node was asked this, and has not answered.
    pub(super) fn waits_for(&self, node: &str, number: u64) -> bool {
        self.0.lock().get(&number).is_some_and(|request| request.node == node)
    }

    /// Hands the answer of a node to who [waits](Self::waits_for) for it.
    pub(super) fn answer(&self, node: &str, number: u64, told: Told) {
        let mut requests = self.0.lock();
        if requests.get(&number).is_some_and(|request| request.node == node)
            && let Some(request) = requests.remove(&number)
        {
            // Who has gone away needs no answer.
            let _ = request.answer.send(told);
        }
    }
}

/// Where an answer arrives. The request is forgotten with it.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    number: u64,
    answered: oneshot::Receiver<Told>,
}

impl Place<'_> {
    /// The answer, which may never come.
    pub(super) async fn answer(mut self) -> Result<Answer, Failure> {
        let told = (&mut self.answered).await.map_err(|_| Failure::Gone)?;
        told.map_err(Failure::Answered)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.0.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_of_who_was_asked_and_to_what_was_asked() {
        let waiting = Waiting::default();
        let place = waiting.place("a", 1).unwrap();
        for (node, number) in [("b", 1), ("a", 2), ("", 1)] {
            assert!(!waiting.waits_for(node, number), "{node} {number}");
            waiting.answer(node, number, Err(ErrorKind::Full));
            assert_eq!(waiting.len(), 1, "{node} {number}");
        }
        assert!(waiting.waits_for("a", 1));
        waiting.answer("a", 1, Ok(Answer::default()));
        assert!(!waiting.waits_for("a", 1), "the first answer counts");
        assert!(matches!(place.answer().await, Ok(answer) if answer == Answer::default()));
    }

    #[test]
    fn so_many_wait_and_whoever_goes_makes_room() {
        let waiting = Waiting::default();
        let mut places: Vec<_> = (0..MAX as u64).map(|number| waiting.place("a", number).unwrap()).collect();
        assert!(matches!(waiting.place("a", 1000), Err(Failure::TooManyAsked)));
        places.pop();
        assert!(waiting.place("a", 1000).is_ok());
        places.clear();
        assert_eq!(waiting.len(), 0);
    }
}
