//! The command line of the commands about mail.

use std::path::PathBuf;

use clap::Subcommand;

use super::values::mail_sender;

#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Write a sample of every mail in each language to a folder, as .eml, .txt and .html; nothing is sent
    Preview {
        /// The folder, which is made if it is missing; files of an earlier preview are replaced
        folder: PathBuf,
        /// The sender of mail, ADDRESS or NAME <ADDRESS>
        #[arg(long, env = "TENANTRY_MAIL_FROM", value_name = "SENDER", default_value = "Tenantry <tenantry@localhost>",
            value_parser = mail_sender)]
        mail_from: String,
    },
}
