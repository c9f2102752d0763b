//! The health of the installation.

use std::time::Duration;

use tenantry_app::operator::{CheckedInvariant, DoctorReport, DoctorState, Health};
use tenantry_core::Timestamp;
use tenantry_store::Backlog;

use crate::ROOT;
use crate::screen::{Act, Block, Cell, Column, Note, Part, Row, Screen, State, Table, Tile};
use crate::texts::Texts;
use crate::time::moment;
use crate::view::{Call, Section, filled, number};
use crate::visit::{Answer, Visit, done};

/// Seconds after which due work counts as behind.
const BEHIND_S: i64 = 5 * 60;
/// Seconds after which a backup counts as old.
const OLD_BACKUP_S: i64 = 36 * 60 * 60;
/// The difference of clocks from which it is shown as a fault.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);
/// Due queues that are counted; more are not.
const COUNTED: u64 = tenantry_app::limits::BACKLOG_COUNTED.unsigned_abs();

/// The health page.
pub(super) async fn show(visit: &Visit) -> Answer {
    let health = visit.app().operator_health(&visit.by).await?;
    let (t, words) = (visit.t, &visit.t.health);
    let mut parts = vec![
        Part::plain(Block::Tiles(tiles(t, &health))),
        Part::titled(words.backlog, "", Block::Rows(backlog(visit, &health))),
        Part::titled(words.server, "", Block::Rows(server(visit, &health))),
    ];
    parts.extend(doctor(visit, health.doctor));
    let screen =
        Screen { title: words.title.to_owned(), lead: words.lead.to_owned(), parts, ..Screen::default() };
    let page = visit.page(Section::Health, words.title).await?;
    Ok(screen.show(t, page.with(Call::command(&["tenantry", "doctor"]))))
}

/// Starts the doctor.
pub(super) async fn check(visit: &Visit) -> Answer {
    visit.app().start_doctor(&visit.by).await?;
    done(&format!("{ROOT}/operator/health"), "started")
}

fn tiles(t: &'static Texts, health: &Health) -> Vec<Tile> {
    let words = &t.health;
    let tile = |label, value| Tile { label, value, href: String::new() };
    let version = health.database.version.split(' ').next().unwrap_or_default();
    vec![
        tile(words.version, env!("CARGO_PKG_VERSION").to_owned()),
        tile(words.database, format!("{} {version}", health.database.engine)),
        tile(words.size, size(t, health.database.bytes)),
    ]
}

/// A number of bytes for people.
fn size(t: &Texts, bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..10_000_000 => (1_000, "kB"),
        10_000_000..10_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{} {name}", number(t, bytes.div_ceil(unit)))
}

fn backlog(visit: &Visit, health: &Health) -> Vec<Row> {
    let words = &visit.t.health;
    let works = [
        ("hook", words.webhooks, health.webhooks),
        ("mail", words.mails, health.mails),
        ("customers", words.imports, health.imports),
    ];
    works.into_iter().map(|(icon, title, work)| waiting(visit, icon, title, work)).collect()
}

fn waiting(visit: &Visit, icon: &'static str, title: &str, work: Backlog) -> Row {
    let (t, words, now) = (visit.t, &visit.t.health, visit.visitor.now);
    let small = match work.due {
        0 => words.nothing_waits.to_owned(),
        1 => words.waits_one.to_owned(),
        due if due < COUNTED => filled(words.waits, &number(t, due)),
        _ => filled(words.waits_more, &number(t, COUNTED)),
    };
    let is_behind = |since: Timestamp| since.plus_seconds(BEHIND_S) < now;
    let state = match work.since {
        None => State::new("ok", words.good),
        Some(since) if is_behind(since) => State::new("bad", words.behind),
        Some(_) => State::new("ok", words.in_work),
    };
    let time = work.since.map(|since| moment(t, since, now));
    Row { icon, small, state: Some(state), time, ..Row::new(title) }
}

fn server(visit: &Visit, health: &Health) -> Vec<Row> {
    let (t, words, now) = (visit.t, &visit.t.health, visit.visitor.now);
    let clock = match health.database.engine {
        "SQLite" => Row {
            small: words.clock_own.to_owned(),
            state: Some(State::new("ok", words.good)),
            ..Row::new(words.clock)
        },
        _ => Row {
            small: filled(words.clock_text, &health.clock_skew.as_millis().to_string()),
            state: Some(match health.clock_skew > CLOCK_TOLERANCE {
                true => State::new("bad", words.differs),
                false => State::new("ok", words.good),
            }),
            ..Row::new(words.clock)
        },
    };
    let lost = (health.lost_servers > 0).then(|| Row {
        state: Some(State::new("bad", &filled(words.servers_lost, &health.lost_servers.to_string()))),
        ..Row::new(words.servers)
    });
    let backup = match health.backed_up_at {
        None => Row { state: Some(State::new("off", words.backup_none)), ..Row::new(words.backup) },
        Some(at) => Row {
            state: Some(match at.plus_seconds(OLD_BACKUP_S) < now {
                true => State::new("warn", words.old),
                false => State::new("ok", words.good),
            }),
            time: Some(moment(t, at, now)),
            ..Row::new(words.backup)
        },
    };
    let backup = Row { small: words.backup_text.to_owned(), ..backup };
    [Some(clock), lost, Some(backup)].into_iter().flatten().collect()
}

/// The parts about the doctor: its state, the findings, and every invariant.
fn doctor(visit: &Visit, state: DoctorState) -> Vec<Part> {
    let (t, words) = (visit.t, &visit.t.health);
    let act = Act::now(format!("{ROOT}/operator/health/check"), words.check, "again").quiet();
    let is_running = matches!(state, DoctorState::Running(_));
    let (report, otherwise) = match state {
        DoctorState::Done(report) => (Some(report), ""),
        DoctorState::Never => (None, words.never),
        DoctorState::Running(_) => (None, words.runs),
        DoctorState::Lost(_) => (None, words.lost),
    };
    let summary = match &report {
        Some(report) => summary(visit, report),
        None => Row::new(otherwise),
    };
    let first = Part::titled(words.doctor, words.doctor_text, Block::Rows(vec![summary]));
    let mut parts = vec![first.with((!is_running).then_some(act))];
    let Some(report) = report else { return parts };
    if report.invariants.iter().any(|invariant| invariant.is_unfinished) {
        let (title, text) = (words.unfinished.to_owned(), words.unfinished_text.to_owned());
        parts.push(Part::plain(Block::Note(Note {
            kind: "warn",
            icon: "alert",
            title,
            text,
            acts: Vec::new(),
        })));
    }
    if !report.named.is_empty() {
        parts.push(Part::titled(
            words.named,
            words.findings_text,
            Block::Code(report.named.join("\n"), true),
        ));
    }
    parts.push(Part::plain(Block::Table(invariants(t, report))));
    parts
}

/// The outcome of a run.
fn summary(visit: &Visit, report: &DoctorReport) -> Row {
    let (t, words) = (visit.t, &visit.t.health);
    let findings: u64 = report.invariants.iter().map(|invariant| invariant.findings).sum();
    let checks: usize = report.invariants.iter().map(|invariant| invariant.checks).sum();
    let (kind, word, title) = match findings {
        0 => ("ok", words.good, words.sound.to_owned()),
        1 => ("bad", words.named, words.one_finding.to_owned()),
        findings => ("bad", words.named, filled(words.findings, &number(t, findings))),
    };
    let small = filled(&filled(words.sound_text, &checks.to_string()), &report.invariants.len().to_string());
    let time = Some(moment(t, report.finished_at, visit.visitor.now));
    Row { small, state: Some(State::new(kind, word)), time, ..Row::new(&title) }
}

/// Every invariant, those with findings first.
fn invariants(t: &'static Texts, report: DoctorReport) -> Table {
    let words = &t.health;
    let mut invariants = report.invariants;
    invariants.sort_by_key(|invariant| std::cmp::Reverse((invariant.findings, invariant.is_unfinished)));
    let row = |CheckedInvariant { name, checks, findings, is_unfinished }: CheckedInvariant| {
        let state = match (findings, is_unfinished) {
            (0, false) => State::new("ok", words.holds),
            (0, true) => State::new("warn", words.not_finished),
            (1, _) => State::new("bad", words.broken_by_one),
            (findings, _) => State::new("bad", &filled(words.broken, &number(t, findings))),
        };
        vec![Cell::Text(name), Cell::Number(checks.to_string()), Cell::State(state)]
    };
    let columns = vec![Column::new(words.invariant), Column::right(words.checks), Column::new(words.result)];
    Table::new(columns, invariants.into_iter().map(row).collect())
}
