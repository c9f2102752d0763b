//! The known times at which organizations have work for a worker.
//!
//! A commit of this process names the organizations that it leaves work for, and a look at an organization finds the
//! time of its next work. So a worker queries only the organizations that have work. It queries all of them at long
//! intervals, for the work of other processes and for work that is not on the agenda.

use std::collections::BTreeSet;
use std::time::Duration;

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;

/// The most entries. Work beyond them is found by the look at all organizations.
const MOST: usize = 4_096;

/// Times and organizations.
#[derive(Debug, Default)]
pub(crate) struct Agenda(BTreeSet<(Timestamp, OrganizationId)>);

impl Agenda {
    pub(crate) fn add(&mut self, at: Timestamp, organization: OrganizationId) {
        if self.0.len() < MOST {
            self.0.insert((at, organization));
        }
    }

    /// Takes the organizations whose time has come.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> BTreeSet<OrganizationId> {
        let mut due = BTreeSet::new();
        while self.0.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.0.pop_first().map(|(_, organization)| organization));
        }
        due
    }

    /// The time until the first entry, at most `longest`.
    pub(crate) fn pause(&self, now: Timestamp, longest: Duration) -> Duration {
        let Some((at, _)) = self.0.first() else { return longest };
        let micros = at.as_micros().saturating_sub(now.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_come_at_their_times() {
        let organization = |number: u8| -> OrganizationId {
            serde_json::from_str(&format!("\"00000000-0000-4000-8000-00000000000{number}\"")).unwrap()
        };
        let at = Timestamp::from_micros;
        let longest = Duration::from_micros(100);
        let mut agenda = Agenda::default();
        assert_eq!(agenda.pause(at(0), longest), longest);
        for (time, number) in [(30, 1), (10, 2), (20, 1), (500, 3)] {
            agenda.add(at(time), organization(number));
        }
        assert_eq!(agenda.pause(at(4), longest), Duration::from_micros(6));
        assert_eq!(agenda.pause(at(11), longest), Duration::ZERO);
        assert_eq!(agenda.take_due(at(20)), [organization(1), organization(2)].into());
        assert_eq!(agenda.take_due(at(29)), BTreeSet::new());
        assert_eq!(agenda.take_due(at(30)), [organization(1)].into());
        assert_eq!(agenda.pause(at(30), longest), longest);
    }
}
