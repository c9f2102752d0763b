//! Measures several servers with the same scenarios. `bench/run` starts the servers and writes the plan.
//!
//! The plan is on standard input, one request in each line. Its fields are separated by tabs: scenario,
//! target (the server), method, URL, body (may be empty), headers. The lines of a scenario are adjacent, and
//! within it those of a target. The requests of a target are distributed over the connections.
//!
//! `load pace RATE CONNECTIONS WINDOWS SECONDS` sends the requests of a plan in turn at a fixed rate, for so many
//! windows of so many seconds, and prints one JSON object for each window.

mod load;
mod pace;
mod report;

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use load::{Error, Load, Request};
use pace::Pace;
use report::{Floor, Scenario};

const MAX_CONNECTIONS: usize = 1_024;
const MAX_SECONDS: f64 = 120.0;
const MAX_ROUNDS: usize = 25;
const WARM_UP: Duration = Duration::from_millis(500);

struct Options {
    load: Load,
    rounds: usize,
    members: u64,
    floors: Vec<Floor>,
    save: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        let load = Load { connections: 32, duration: Duration::from_secs(5), warm_up: WARM_UP };
        let mut options = Self { load, rounds: 3, members: 0, floors: Vec::new(), save: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name}: a value is missing"))?;
            match name.as_str() {
                "--connections" => {
                    options.load.connections = within(&name, value.parse()?, 1, MAX_CONNECTIONS)?
                }
                "--seconds" => {
                    let seconds = within(&name, value.parse()?, 0.1, MAX_SECONDS)?;
                    options.load.duration = Duration::from_secs_f64(seconds);
                }
                "--rounds" => options.rounds = within(&name, value.parse()?, 1, MAX_ROUNDS)?,
                "--members" => options.members = value.parse()?,
                "--floor" => options.floors = Floor::parse_all(&value)?,
                "--save" => options.save = Some(value),
                _ => return Err(format!("{name}: unknown option").into()),
            }
        }
        Ok(options)
    }
}

fn within<T: PartialOrd + std::fmt::Display>(name: &str, value: T, low: T, high: T) -> Result<T, Error> {
    if value >= low && value <= high {
        Ok(value)
    } else {
        Err(format!("{name}: expected {low} to {high}, got {value}").into())
    }
}

/// The requests of one scenario, by target.
struct Plan {
    scenario: String,
    targets: Vec<(String, Vec<Request>)>,
}

fn parse_plans(text: &str) -> Result<Vec<Plan>, Error> {
    let mut plans: Vec<Plan> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or_else(|| format!("{line}: a field is missing"));
        let (scenario, target) = (field()?.to_owned(), field()?.to_owned());
        let (method, url, body) = (field()?, field()?, field()?);
        let request = Request::new(method, url, body, &fields.collect::<Vec<_>>())?;
        if plans.last().is_none_or(|plan| plan.scenario != scenario) {
            plans.push(Plan { scenario, targets: Vec::new() });
        }
        let Some(Plan { targets, .. }) = plans.last_mut() else { continue };
        match targets.last_mut() {
            Some((name, requests)) if *name == target => requests.push(request),
            _ => targets.push((target, vec![request])),
        }
    }
    if plans.is_empty() { Err("the plan on standard input is empty".into()) } else { Ok(plans) }
}

/// Measures every target once in each round. Each round begins with the next target, so that no target
/// always runs at the same position.
async fn run(plan: &Plan, options: &Options, numbers: &Arc<AtomicU64>) -> Result<Scenario, Error> {
    let Plan { scenario, targets } = plan;
    for (target, requests) in targets {
        for request in requests {
            let probed = load::probe(request, numbers).await;
            probed.map_err(|error| format!("{scenario}: the first request to {target} failed:\n{error}"))?;
        }
    }
    let mut measured: Vec<_> = targets.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
    for round in 0..options.rounds {
        for step in 0..targets.len() {
            let turn = (round + step) % targets.len();
            let Some(((target, requests), (_, measures))) = targets.get(turn).zip(measured.get_mut(turn))
            else {
                continue;
            };
            let measure = load::measure(requests, options.load, numbers).await;
            measures.push(measure.map_err(|error| format!("{scenario}: {target}: {error}"))?);
        }
    }
    Ok(Scenario { name: scenario.clone(), targets: measured })
}

async fn compare(arguments: impl Iterator<Item = String>) -> Result<(), Error> {
    let options = Options::parse(arguments)?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let numbers = Arc::new(AtomicU64::new(1));
    let mut scenarios = Vec::new();
    for plan in parse_plans(&text)? {
        let scenario = run(&plan, &options, &numbers).await?;
        println!("{}", scenario.table());
        scenarios.push(scenario);
    }
    let mut faults: Vec<String> = scenarios.iter().filter_map(Scenario::failure).collect();
    faults.extend(options.floors.iter().filter_map(|floor| floor.miss(&scenarios)));
    if !faults.is_empty() {
        return Err(faults.join("\n").into());
    }
    if let Some(path) = &options.save {
        let json = report::json(&scenarios, options.load, options.rounds, options.members);
        std::fs::write(path, serde_json::to_string_pretty(&json)? + "\n")?;
    }
    Ok(())
}

/// Sends all requests of the plan at the rate that the arguments say.
async fn keep_pace(arguments: &[String]) -> Result<(), Error> {
    let [rate, connections, windows, seconds] = arguments else {
        return Err("usage: load pace RATE CONNECTIONS WINDOWS SECONDS".into());
    };
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let targets = parse_plans(&text)?.into_iter().flat_map(|plan| plan.targets);
    let requests: Vec<Request> = targets.flat_map(|(_, requests)| requests).collect();
    let pace = Pace {
        rate: within("RATE", rate.parse()?, 1.0, 1e6)?,
        connections: within("CONNECTIONS", connections.parse()?, 1, 1_024)?,
        windows: within("WINDOWS", windows.parse()?, 1, 60)?,
        window: Duration::from_secs(within("SECONDS", seconds.parse()?, 1, 60)?),
    };
    for window in pace::run(&requests, pace).await? {
        println!("{window}");
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((command, rest)) if command == "pace" => keep_pace(rest).await,
        _ => compare(arguments.into_iter()).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
