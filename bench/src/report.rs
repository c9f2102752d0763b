//! Medians, ratios and floors of the measurements.
//!
//! A ratio compares two measurements of one round, which are seconds apart, so that a machine that is slower in
//! that round affects both. The report shows the median ratio of the rounds with the lowest and the highest.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::load::{Error, Load, Measurement};

/// The target whose ratio to `BASELINE` a floor limits.
const SUBJECT: &str = "tenantry";
const BASELINE: &str = "prototype";
/// The targets that later targets of a scenario are compared with.
const COMPARED_WITH: [&str; 3] = ["ceiling", BASELINE, SUBJECT];

/// The measurements of one scenario.
pub struct Scenario {
    pub name: String,
    /// By target, one measurement for each round.
    pub targets: Vec<(String, Vec<Measurement>)>,
}

impl Scenario {
    fn of(&self, target: &str) -> Option<&[Measurement]> {
        self.targets.iter().find(|(name, _)| name == target).map(|(_, rounds)| rounds.as_slice())
    }

    /// The median, lowest and highest ratio of a target's requests per second to those of an earlier target.
    /// `None` when one of them is missing, or `other` is not before `target`.
    fn ratio(&self, target: &str, other: &str) -> Option<(f64, f64, f64)> {
        let position = |name: &str| self.targets.iter().position(|(target, _)| target == name);
        if position(other)? >= position(target)? {
            return None;
        }
        let pairs = self.of(target)?.iter().zip(self.of(other)?);
        let mut ratios: Vec<f64> = pairs.map(|(one, two)| one.per_second / two.per_second).collect();
        ratios.sort_by(f64::total_cmp);
        Some((median_of_sorted(&ratios), *ratios.first()?, *ratios.last()?))
    }

    /// The scenario as a text table.
    pub fn table(&self) -> String {
        let mut text =
            format!("{:<20}{:>11}{:>9}{:>9}{:>8}", self.name, "requests/s", "p50 ms", "p99 ms", "errors");
        for other in COMPARED_WITH {
            text += &format!("{:>20}", format!("of {other}"));
        }
        for (target, rounds) in &self.targets {
            let _ = write!(
                text,
                "\n  {target:<18}{:>11.0}{:>9.2}{:>9.2}{:>8}",
                median(rounds, |measure| measure.per_second),
                median(rounds, |measure| measure.p50_ms),
                median(rounds, |measure| measure.p99_ms),
                failures(rounds),
            );
            for other in COMPARED_WITH {
                let shown = self
                    .ratio(target, other)
                    .map(|(median, low, high)| format!("{median:.2} ({low:.2}-{high:.2})"));
                text += &format!("{:>20}", shown.as_deref().unwrap_or("-"));
            }
        }
        text + "\n"
    }

    fn json(&self) -> Value {
        let target = |(name, rounds): &(String, Vec<Measurement>)| {
            let ratios = COMPARED_WITH.into_iter().filter_map(|other| {
                let (median, low, high) = self.ratio(name, other)?;
                Some((other.to_owned(), json!({ "median": median, "low": low, "high": high })))
            });
            let figures = json!({
                "requests_per_second": median(rounds, |measure| measure.per_second),
                "p50_ms": median(rounds, |measure| measure.p50_ms),
                "p99_ms": median(rounds, |measure| measure.p99_ms),
                "errors": failures(rounds),
                "requests_per_second_by_round":
                    rounds.iter().map(|measure| measure.per_second).collect::<Vec<_>>(),
                "ratio_to": ratios.collect::<Map<_, _>>(),
            });
            (name.clone(), figures)
        };
        Value::Object(self.targets.iter().map(target).collect())
    }

    /// The first failed target with its first failure. The figures of the scenario are then meaningless.
    pub fn failure(&self) -> Option<String> {
        let (target, rounds) = self.targets.iter().find(|(_, rounds)| failures(rounds) > 0)?;
        let first = rounds.iter().find_map(|measure| measure.first_failure.as_deref()).unwrap_or_default();
        Some(format!("{}: {target} failed {} times, first: {first}", self.name, failures(rounds)))
    }
}

/// All measurements as JSON.
pub fn json(scenarios: &[Scenario], load: Load, rounds: usize, members: u64) -> Value {
    json!({
        "connections": load.connections,
        "seconds": load.duration.as_secs_f64(),
        "rounds": rounds,
        "members": members,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "scenarios": scenarios
            .iter()
            .map(|scenario| (scenario.name.clone(), scenario.json()))
            .collect::<Map<_, _>>(),
    })
}

/// The lowest accepted ratio of tenantry to the prototype in a scenario.
pub struct Floor {
    pub scenario: String,
    pub ratio: f64,
}

impl Floor {
    /// Parses a list such as `create_member=0.5,get_member=0.5`.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let parse = |part: &str| {
            let (scenario, ratio) =
                part.split_once('=').ok_or_else(|| format!("{part}: expected SCENARIO=RATIO"))?;
            Ok(Self { scenario: scenario.to_owned(), ratio: ratio.parse()? })
        };
        text.split(',').map(parse).collect()
    }

    /// Describes how the floor was missed, or `None`. A floor without measurements is missed.
    pub fn miss(&self, scenarios: &[Scenario]) -> Option<String> {
        let Self { scenario: name, ratio: floor } = self;
        let scenario = scenarios.iter().find(|scenario| scenario.name == *name);
        match scenario.and_then(|scenario| scenario.ratio(SUBJECT, BASELINE)) {
            Some((ratio, ..)) if ratio >= *floor => None,
            Some((ratio, ..)) => Some(format!("{name}: {ratio:.3} of {BASELINE}, the floor is {floor}")),
            None => Some(format!("{name}: has a floor, but {SUBJECT} and {BASELINE} were not both measured")),
        }
    }
}

fn failures(rounds: &[Measurement]) -> u64 {
    rounds.iter().map(|measure| measure.failures).sum()
}

fn median(rounds: &[Measurement], of: impl Fn(&Measurement) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    median_of_sorted(&figures)
}

/// The median of sorted values.
fn median_of_sorted(sorted: &[f64]) -> f64 {
    let low = sorted.get(sorted.len().saturating_sub(1) / 2);
    let high = sorted.get(sorted.len() / 2);
    low.zip(high).map_or(f64::NAN, |(low, high)| (low + high) / 2.0)
}
