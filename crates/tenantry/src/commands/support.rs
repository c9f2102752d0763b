//! `tenantry support`: one file for those who help an operator. It names no person and holds no secret.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde_json::{Map, Value, json};
use tenantry_app::App;
use tenantry_app::operator::Backlogs;
use tenantry_store::doctor;

use crate::cli::Support;
use crate::config::{OptionInForce, OptionsError, options_in_force};
use crate::data::{PROGRAM, object};
use crate::error::CommandError;
use crate::installation;

/// The lines of the log that are included.
const LINES: usize = 200;
/// The bytes at the end of the log that are searched for them.
const LOG_BYTES: u64 = 8 << 20;
/// The findings of the doctor that are included.
const FINDINGS: usize = 1_000;

/// Prints the report. What cannot be found out is an error in its place, so that there is always a report.
pub(crate) async fn run(command: &Support) -> Result<(), CommandError> {
    let database = match installation::open_to_read(&command.serve.database).await {
        Ok(app) => {
            let described = describe_database(&app, command.without_doctor).await;
            app.store().close().await;
            described
        }
        Err(error) => json!({"error": without_addresses(&error.to_string())}),
    };
    let log = match &command.log_file {
        None => Value::Null,
        Some(path) => last_problems(path).map_or_else(|error| failed(&error), Value::from),
    };
    let report = json!({
        "made_at": installation::now().to_string(),
        "program": PROGRAM,
        "system": system(),
        "options": options()?,
        "database": database,
        "last_warnings_and_errors": log,
    });
    writeln!(io::stdout().lock(), "{report:#}")?;
    Ok(())
}

fn failed(error: &impl ToString) -> Value {
    json!({"error": without_addresses(&error.to_string())})
}

fn system() -> Value {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let memory = read("/proc/meminfo").and_then(|text| text.lines().next().map(ToOwned::to_owned));
    json!({
        "kernel": read("/proc/sys/kernel/osrelease"),
        "architecture": std::env::consts::ARCH,
        "processors": std::thread::available_parallelism().ok(),
        "memory": memory,
    })
}

fn options() -> Result<Value, CommandError> {
    let line: Vec<_> = std::env::args_os().collect();
    let options = match options_in_force(&line) {
        Ok(options) => options,
        Err(OptionsError::File(error)) => return Err(error),
        Err(OptionsError::CommandLine(error)) => return Err(CommandError::Options(error.to_string())),
    };
    let described = options.into_iter().map(|OptionInForce { name, values, source }| {
        let values: Vec<String> = values.iter().map(|value| without_emails(value)).collect();
        (name, json!({"values": values, "from": source}))
    });
    Ok(Value::Object(described.collect::<Map<_, _>>()))
}

async fn describe_database(app: &App, without_doctor: bool) -> Value {
    let facts = async { app.store().reader()?.tx()?.database().await }.await;
    let lost = app.store().lost_servers().await;
    let skew = app.check_clock().await.map(|skew| skew.as_millis().to_string());
    let backlogs = app.backlogs().await.map(|Backlogs { at, webhooks, mails, imports }| {
        let kinds = [("webhooks", webhooks), ("mails", mails), ("imports", imports)];
        let described = kinds.map(|(kind, backlog)| {
            let since = backlog.since.map(|since| since.to_string());
            (kind.to_owned(), json!({"queues": backlog.due, "oldest_due_since": since}))
        });
        json!({"at": at.to_string(), "due": described.into_iter().collect::<Map<_, _>>()})
    });
    let facts =
        facts.map(|facts| json!({"name": facts.engine, "version": facts.version, "bytes": facts.bytes}));
    let checks =
        if without_doctor { Value::Null } else { findings(app).await.unwrap_or_else(|error| failed(&error)) };
    json!({
        "engine": facts.unwrap_or_else(|error| failed(&error)),
        "lost_servers": lost.map_or_else(|error| failed(&error), Value::from),
        "clock_skew_ms": skew.map_or_else(|error| failed(&error), Value::from),
        "backlogs": backlogs.unwrap_or_else(|error| failed(&error)),
        "doctor": checks,
    })
}

/// The findings of the doctor.
async fn findings(app: &App) -> Result<Value, CommandError> {
    let (mut number, mut first) = (0_usize, Vec::new());
    let mut snapshot = app.store().snapshot().await?;
    let mut tx = snapshot.tx()?;
    doctor::inspect(&mut tx, |finding| {
        number += 1;
        if first.len() < FINDINGS {
            first.push(without_addresses(&object(&finding).to_string()));
        }
    })
    .await?;
    Ok(json!({"findings": number, "first": first}))
}

/// The last lines of a log that are warnings or errors.
fn last_problems(path: &Path) -> io::Result<Vec<String>> {
    if path == Path::new("-") {
        return problems_of(io::stdin().lock());
    }
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(LOG_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    problems_of(BufReader::new(file))
}

fn problems_of(mut log: impl BufRead) -> io::Result<Vec<String>> {
    let mut last = VecDeque::with_capacity(LINES);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let levels = [" WARN ", " ERROR ", r#""level":"WARN""#, r#""level":"ERROR""#];
        if levels.iter().any(|level| text.contains(level)) {
            if last.len() == LINES {
                last.pop_front();
            }
            last.push_back(without_addresses(text.trim_end()));
        }
        line.clear();
    }
    Ok(last.into())
}

/// The text without the addresses of people and of networks.
fn without_addresses(text: &str) -> String {
    replaced(text, |word| {
        let word = word.trim_end_matches([':', '.']);
        let is_network = word.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok();
        if is_network { Some("(network address)") } else { email(word) }
    })
}

/// The text without the addresses of people.
fn without_emails(text: &str) -> String {
    replaced(text, email)
}

fn email(word: &str) -> Option<&'static str> {
    word.contains('@').then_some("(e-mail address)")
}

/// The text with some of its words replaced.
fn replaced(text: &str, replacement: impl Fn(&str) -> Option<&'static str>) -> String {
    let is_separator = |character: char| character.is_whitespace() || "\"'=,;()[]{}<>|\\".contains(character);
    let words = text.split_inclusive(is_separator);
    words
        .flat_map(|part| {
            let word = part.trim_end_matches(is_separator);
            [replacement(word).unwrap_or(word), part.strip_prefix(word).unwrap_or_default()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_problems_of_a_log_name_no_person() {
        let log = "2026-01-01T00:00:00Z  INFO t: request finished client_address=\"192.0.2.1\"\n\
            2026-01-01T00:00:00Z  WARN t: mail attempt failed to=jo@x.dev error=no answer of 192.0.2.7:25: refused\n\
            {\"level\":\"ERROR\",\"client_address\":\"2001:db8::1\",\"message\":\"request finished\",\"status\":500}\n";
        let problems = problems_of(log.as_bytes()).unwrap();
        assert_eq!(
            problems,
            [
                "2026-01-01T00:00:00Z  WARN t: mail attempt failed to=(e-mail address) error=no answer of \
                 (network address) refused",
                r#"{"level":"ERROR","client_address":"(network address)","message":"request finished","status":500}"#,
            ]
        );
        let many = "x WARN y\n".repeat(LINES + 5);
        assert_eq!(problems_of(many.as_bytes()).unwrap().len(), LINES);
    }
}
