//! The commands about mail.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tenantry_outbound::mail::letters::{Stationery, samples};
use tenantry_outbound::mail::{MailError, Mailer};

use super::print;
use crate::cli::Mail;
use crate::error::CommandError;

/// Runs a command to its end.
pub(super) async fn run(command: Mail) -> Result<(), CommandError> {
    match command {
        Mail::Preview { folder, mail_from } => preview(&folder, &mail_from).await,
    }
}

/// Writes the samples of all mails.
async fn preview(folder: &Path, from: &str) -> Result<(), CommandError> {
    let failed = |error: MailError| CommandError::Message(error.to_string());
    fs::create_dir_all(folder).map_err(|error| CommandError::file(folder, &error))?;
    let files = Mailer::Directory(folder.to_path_buf());
    let samples = samples(&Stationery::of_sender(from)).map_err(failed)?;
    let mut lines = Vec::new();
    for sample in &samples {
        let (name, message) = (&sample.name, &sample.message);
        files.send(name, message, from).await.map_err(failed)?;
        for (ending, text) in [("txt", &message.text), ("html", &message.html)] {
            let path = folder.join(format!("{name}.{ending}"));
            fs::write(&path, text).map_err(|error| CommandError::file(&path, &error))?;
        }
        lines.push(format!("{name}: {}", message.subject));
    }
    let number = samples.len();
    lines.push(format!("wrote {number} mails to {}, each as .eml, .txt and .html", folder.display()));
    print(false, &Value::Null, &lines)
}
