//! What people decide about an incident: what a rule holds back becomes void or counts again, and the case is closed.

use crate::clock::Timestamp;
use crate::encoding::uuid_for;
use crate::error::{Error, Rejection, Result};
use crate::fraud::{CaseStep, Deed, Incident, IncidentFile, IncidentFilter, IncidentStatus, Measure, StepOutcome};
use crate::ids::{ActionId, IncidentId, ModerationId, UserId};
use crate::pipeline::{MAX_MODERATED, Scoreboard};
use crate::store::{LogRow, Moderation, ModerationAct, ModerationRefusal, Origin, ScoreStore};

/// How many rows of a user are read at once.
const CHUNK: usize = 256;
/// How often a step is tried that others get in the way of.
const ATTEMPTS: usize = 16;
/// How many open incidents of a user are looked at.
const OPEN: usize = 100;

/// What somebody decides about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseDecision {
    /// Which one.
    pub incident: IncidentId,
    /// [`Case::revision`](crate::Case::revision) as they saw it.
    pub revision: u32,
    /// Who decides.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// What it was; [`Open`](IncidentStatus::Open) takes a decision back, and leaves what was void as it is.
    pub status: IncidentStatus,
    /// Why.
    pub note: String,
    /// Whether what was found no longer counts, if it is confirmed. By default so if the rule was to hold the user.
    pub void: Option<bool>,
    /// Whether a rule's hold of the user ends. By default so if it is dismissed.
    pub release: Option<bool>,
}

impl CaseDecision {
    /// The step that it comes to.
    #[must_use]
    pub fn step(&self) -> CaseStep {
        let (at, by, note) = (self.at, self.by, self.note.clone());
        CaseStep { revision: self.revision, at, by, deed: Deed::Decide(self.status), note }
    }

    /// Whether this decision has made the step, be it when it was tried before.
    fn made(&self, step: &CaseStep) -> bool {
        (step.by, step.deed, &step.note) == (self.by, Deed::Decide(self.status), &self.note)
    }
}

impl Incident {
    /// The decision by which a rule holds the user: of each incident one, so that whoever was let go is not held for it again.
    #[must_use]
    pub fn hold_id(&self) -> ModerationId {
        ModerationId::from_uuid(uuid_for("scoreboard/hold/v1", &[self.id.as_bytes()]))
    }
}

impl Scoreboard {
    /// Decides an incident. In one decision of the store, what the rule has found no longer counts, if it is confirmed, and whom a rule holds is
    /// let go, if it is dismissed, or as the decision says; then the case is closed. What is not void stands where it stood. While another
    /// incident about the user is open that is to hold them, they stay held.
    ///
    /// Without a [`ModerationStore`](crate::ModerationStore) only the case is closed. Of those who decide at once one does, and the others get
    /// [`StepOutcome::ChangedMeanwhile`]. Handing the same decision in again changes nothing; where the first try broke off, it ends it.
    ///
    /// # Errors
    ///
    /// [`Rejection::Moderation`], [`Rejection::TooManyActions`], [`Rejection::NoModeration`] if there is no such store and something is to be void
    /// or let go expressly; or a backend's failure: hand the same one in again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the store has decided wholly or not at all; if so, whoever decides the incident next closes its case so.
    pub async fn decide(&self, decision: &CaseDecision) -> Result<StepOutcome> {
        let Some(file) = self.parts.incidents.incident(decision.incident).await? else {
            return Ok(StepOutcome::Unknown);
        };
        if file.incident.user_id == decision.by {
            return Err(Rejection::Moderation(ModerationRefusal::OneselfDecided).into());
        }
        if decision.revision != file.incident.case.revision {
            let last = file.steps.iter().rev().find(|step| matches!(step.deed, Deed::Decide(_)));
            let is_repeat = last.is_some_and(|last| decision.made(last) && last.revision >= decision.revision);
            return Ok(if is_repeat {
                StepOutcome::Taken(file.incident)
            } else {
                StepOutcome::ChangedMeanwhile(file.incident)
            });
        }
        if self.parts.moderation.is_none() {
            if decision.void == Some(true) || decision.release == Some(true) {
                return Err(Rejection::NoModeration.into());
            }
            return Ok(self.parts.incidents.take_step(decision.incident, &decision.step()).await?);
        }
        if decision.status == IncidentStatus::Open {
            return Ok(self.parts.incidents.take_step(decision.incident, &decision.step()).await?);
        }
        let carried_out = self.conclude(&file, decision).await?;
        let step = step_of(&carried_out, decision.revision)?;
        let is_own = decision.made(&step);
        Ok(match self.close_case(decision.incident, step).await? {
            StepOutcome::Taken(incident) if !is_own => StepOutcome::ChangedMeanwhile(incident),
            outcome => outcome,
        })
    }

    /// The store's decision: this one, or another that was first.
    async fn conclude(&self, file: &IncidentFile, decision: &CaseDecision) -> Result<Moderation> {
        let id = conclusion_id(file);
        if let Some(known) = self.carried_out(id).await? {
            return Ok(known.moderation);
        }
        let act = self.conclusion(&file.incident, decision).await?;
        let moderation =
            Moderation { id, at: decision.at, by: decision.by.to_string(), reason: decision.note.clone(), act };
        match self.moderate(&moderation).await {
            Ok(effects) => Ok(effects.carried_out.moderation),
            Err(Error::Rejected(Rejection::Moderation(ModerationRefusal::IdUsed))) => {
                let first = self.carried_out(id).await?;
                Ok(first.ok_or(Rejection::Moderation(ModerationRefusal::IdUsed))?.moderation)
            }
            Err(error) => Err(error),
        }
    }

    async fn conclusion(&self, incident: &Incident, decision: &CaseDecision) -> Result<ModerationAct> {
        let confirmed = decision.status == IncidentStatus::Confirmed;
        let is_hold = incident.measure == Measure::Hold;
        let release = match decision.release {
            Some(release) => release,
            None => !confirmed && is_hold && !self.is_to_be_held(incident).await?,
        };
        let actions = if confirmed && decision.void.unwrap_or(is_hold) {
            self.found_in(incident).await?.into_iter().map(|row| row.action_id).collect::<Vec<ActionId>>()
        } else {
            Vec::new()
        };
        Ok(ModerationAct::Conclude { incident: incident.id, confirmed, user_id: incident.user_id, actions, release })
    }

    /// Whether another open incident is to hold the user.
    async fn is_to_be_held(&self, but: &Incident) -> Result<bool> {
        let filter = IncidentFilter {
            status: Some(IncidentStatus::Open),
            user: Some(but.user_id),
            measure: Some(Measure::Hold),
            ..IncidentFilter::default()
        };
        let open = self.parts.incidents.incidents(&filter, None, OPEN).await?;
        Ok(open.iter().any(|incident| incident.id != but.id))
    }

    /// The actions that an incident is about, oldest first: all in the window of what was found, none if there is no such window. What is
    /// archived is not found.
    pub(crate) async fn found_in(&self, incident: &Incident) -> Result<Vec<LogRow>> {
        let Some(finding) = &incident.finding else { return Ok(Vec::new()) };
        let window = finding.window;
        let mut before = Some(window.last.next());
        let mut found = Vec::new();
        loop {
            let rows = self.parts.store.history(&incident.board, incident.user_id, before, CHUNK).await?;
            before = rows.last().map(|row| row.position.version);
            let ended = rows.len() < CHUNK || rows.iter().all(|row| row.at < window.from);
            found.extend(rows.into_iter().filter(|row| row.origin == Origin::Action && row.at >= window.from));
            if found.len() > MAX_MODERATED {
                return Err(Rejection::TooManyActions(MAX_MODERATED).into());
            }
            if ended {
                found.reverse();
                return Ok(found);
            }
        }
    }

    /// Closes the case as the store has decided, whoever else does something with it meanwhile.
    async fn close_case(&self, id: IncidentId, mut step: CaseStep) -> Result<StepOutcome> {
        let incidents = &self.parts.incidents;
        let mut outcome = incidents.take_step(id, &step).await?;
        for _ in 0..ATTEMPTS {
            let StepOutcome::ChangedMeanwhile(_) = outcome else { break };
            let Some(file) = incidents.incident(id).await? else { return Ok(StepOutcome::Unknown) };
            let is_made = |made: &CaseStep| (made.by, made.at, made.deed) == (step.by, step.at, step.deed);
            if file.steps.iter().any(is_made) {
                return Ok(StepOutcome::Taken(file.incident));
            }
            step.revision = file.incident.case.revision;
            outcome = incidents.take_step(id, &step).await?;
        }
        Ok(outcome)
    }
}

/// One for each time that the incident is decided: of those who decide at once, the store lets one.
fn conclusion_id(file: &IncidentFile) -> ModerationId {
    let decided = file.steps.iter().filter(|step| matches!(step.deed, Deed::Decide(_))).count() as u64;
    let pieces: [&[u8]; 2] = [file.incident.id.as_bytes(), &decided.to_le_bytes()];
    ModerationId::from_uuid(uuid_for("scoreboard/conclusion/v1", &pieces))
}

/// The step that a decision of the store comes to.
fn step_of(carried_out: &Moderation, revision: u32) -> Result<CaseStep> {
    let (ModerationAct::Conclude { confirmed, .. }, Ok(by)) = (&carried_out.act, carried_out.by.parse()) else {
        // Nobody but this file makes such ids.
        return Err(Rejection::Moderation(ModerationRefusal::IdUsed).into());
    };
    let status = if *confirmed { IncidentStatus::Confirmed } else { IncidentStatus::Dismissed };
    let (at, note) = (carried_out.at, carried_out.reason.clone());
    Ok(CaseStep { revision, at, by, deed: Deed::Decide(status), note })
}
