//! The doctor in the server: an operator starts it in the console, and it runs in the background.
//!
//! Each step is a list query: it ends after some seconds, and delays no other request. What is not finished then is left
//! to `tenantry doctor`. The state is a value of `installation`, so that every node shows it.
//!
//! | state | value `doctor` | next |
//! |---|---|---|
//! | never | none | running, when an operator starts it |
//! | running | the time of the start | done; lost, after [`limits::DOCTOR_LOST_S`] |
//! | done | the report | running, when an operator starts it again |
//! | lost | the time of the start: the node stopped meanwhile | likewise |

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::doctor::{self, Step, StepReport};
use tenantry_store::{Catalog, StoreError, Tx, UseCase};

use crate::{App, Error, Requester, limits};

/// The name of the value in `installation`.
const NAME: &str = "doctor";
/// Findings that a report names.
const NAMED: usize = 50;

/// An invariant, as the doctor found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedInvariant {
    /// Its name in `docs/ARCHITECTURE.md`.
    pub name: String,
    /// The number of its checks.
    pub checks: usize,
    /// The number of rows that break it.
    pub findings: u64,
    /// Whether a check took too long, so that findings may be missing.
    pub is_unfinished: bool,
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// The time of its end.
    pub finished_at: Timestamp,
    /// The invariants, by name.
    pub invariants: Vec<CheckedInvariant>,
    /// Some of the findings, one a line.
    pub named: Vec<String>,
}

/// The value in `installation`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    started_at: Timestamp,
    report: Option<DoctorReport>,
}

/// The state of the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoctorState {
    /// There was none.
    Never,
    /// It runs since this time.
    Running(Timestamp),
    /// It has ended.
    Done(DoctorReport),
    /// It began at this time and did not end: its node was stopped.
    Lost(Timestamp),
}

/// The state of the last run.
pub(super) async fn state(tx: &mut Tx<'_>, now: Timestamp) -> Result<DoctorState, Error> {
    Ok(state_of(tx.installation_value(NAME).await?, now)?)
}

fn state_of(value: Option<Vec<u8>>, now: Timestamp) -> serde_json::Result<DoctorState> {
    let Some(value) = value else { return Ok(DoctorState::Never) };
    Ok(match serde_json::from_slice(&value)? {
        Stored { report: Some(report), .. } => DoctorState::Done(report),
        Stored { started_at, report: None } if started_at.plus_seconds(limits::DOCTOR_LOST_S) <= now => {
            DoctorState::Lost(started_at)
        }
        Stored { started_at, report: None } => DoctorState::Running(started_at),
    })
}

/// Notes that a run begins. Returns whether it does: not while another one runs.
#[derive(Debug, Clone)]
struct DoctorStart {
    by: Requester,
}

impl UseCase for DoctorStart {
    type Output = bool;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        self.by.check_operator()?;
        let value = tx.installation_value_for_update(NAME).await?;
        if matches!(state_of(value, context.now())?, DoctorState::Running(_)) {
            return Ok(false);
        }
        let stored = Stored { started_at: context.now(), report: None };
        tx.installation_value_replace(NAME, &serde_json::to_vec(&stored)?).await?;
        Ok(true)
    }
}

/// Stores the report of a run.
struct DoctorFinish(DoctorReport);

impl UseCase for DoctorFinish {
    type Output = ();
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let stored = Stored { started_at: context.now(), report: Some(self.0.clone()) };
        Ok(tx.installation_value_replace(NAME, &serde_json::to_vec(&stored)?).await?)
    }
}

/// Collects the reports of steps.
#[derive(Default)]
struct Collected {
    invariants: BTreeMap<&'static str, CheckedInvariant>,
    named: Vec<String>,
}

impl Collected {
    fn add(&mut self, step: Step, outcome: Result<StepReport, StoreError>) {
        for (name, checks) in step.checks() {
            let new =
                || CheckedInvariant { name: name.to_owned(), checks: 0, findings: 0, is_unfinished: false };
            let invariant = self.invariants.entry(name).or_insert_with(new);
            invariant.checks = invariant.checks.saturating_add(checks);
            match &outcome {
                Ok(report) => {
                    let found = report.counts.get(name).copied().unwrap_or(0);
                    invariant.findings = invariant.findings.saturating_add(found);
                }
                Err(_) => invariant.is_unfinished = true,
            }
        }
        let named = outcome.map(|report| report.named).unwrap_or_default();
        self.named.extend(named.into_iter().take(NAMED.saturating_sub(self.named.len())));
    }
}

impl App {
    /// Starts the doctor in the background, unless it runs already.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] without the rights of the operator, or a store error.
    pub async fn start_doctor(&self, by: &Requester) -> Result<(), Error> {
        if self.write_as(by, DoctorStart { by: by.clone() }).await? {
            self.doctor_asked.notify_one();
        }
        Ok(())
    }

    /// Waits until this node has to run the doctor.
    pub async fn doctor_asked(&self) {
        self.doctor_asked.notified().await;
    }

    /// Runs the doctor and stores its report.
    ///
    /// # Errors
    /// When the report cannot be stored.
    pub async fn run_doctor(&self) -> Result<(), Error> {
        let (mut collected, begun) = (Collected::default(), Instant::now());
        for step in doctor::steps(&Catalog::now()?) {
            let is_late = begun.elapsed() > Duration::from_secs(limits::DOCTOR_S);
            let outcome = match is_late {
                true => Err(StoreError::Unavailable("the doctor takes too long".into())),
                false => self.store.run_list_query(step).await,
            };
            if let Err(error) = &outcome {
                tracing::info!(%error, "a check of the doctor is not finished");
            }
            collected.add(step, outcome);
        }
        let Collected { invariants, named } = collected;
        let invariants = invariants.into_values().collect();
        self.write(DoctorFinish(DoctorReport { finished_at: self.now(), invariants, named })).await
    }
}
