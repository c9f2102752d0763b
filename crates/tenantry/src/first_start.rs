//! The first start on an empty database: creates an organization and a token, and explains what to do next.
//!
//! The token is printed on a terminal alone. Elsewhere, standard output usually ends up in a journal that many
//! people read, so the token is written to a file that only its owner can read.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tenantry_app::App;
use tenantry_app::bootstrap::{Bootstrap, Bootstrapped};
use tenantry_core::token::Secret;
use tenantry_core::values::{EmailAddress, InvalidValue, OrganizationName, Slug};

use crate::cli::DatabaseOptions;
use crate::error::CommandError;
use crate::installation::{self, Database, absolute};
use crate::key;

/// The slug of the first organization.
const SLUG: &str = "my-organization";

/// Fills an empty database. Returns `None` if the database is not empty.
pub(crate) async fn create(
    app: &App,
    owner: Option<EmailAddress>,
) -> Result<Option<Bootstrapped>, CommandError> {
    let invalid = |value: InvalidValue| CommandError::Message(value.to_string());
    let bootstrap = Bootstrap {
        name: OrganizationName::parse("My Organization").map_err(invalid)?,
        slug: Slug::parse(SLUG).map_err(invalid)?,
        owner_email: match owner {
            Some(owner) => owner,
            None => EmailAddress::parse(&format!("owner@{SLUG}.invalid")).map_err(invalid)?,
        },
        customer_email: EmailAddress::parse(&format!("team@{SLUG}.invalid")).map_err(invalid)?,
        hash_key: app.hash_key().clone(),
    };
    Ok(app.bootstrap(bootstrap).await?)
}

/// The files of the installation, as shown to the operator.
pub(crate) struct Files {
    pub(crate) database: String,
    pub(crate) key: PathBuf,
    /// The options that name the installation to another command.
    pub(crate) options: String,
}

impl Files {
    /// The command that creates a token of an organization, wherever it is started.
    pub(crate) fn new_token(&self, organization: &str) -> String {
        format!("{} token create --organization {organization} --all-scopes {}", program(), self.options)
    }
}

/// The command by which this program was started.
fn program() -> String {
    std::env::args_os().next().map_or_else(|| "tenantry".to_owned(), |name| quoted(&name.to_string_lossy()))
}

/// The database as the operator sees it: the file from the root, or the server without a password.
pub(crate) fn place(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => absolute(path).display().to_string(),
        Database::Postgres(_) => database.to_string(),
    }
}

/// The options that name the database and its key. A URL with a password is not repeated.
pub(crate) fn database_options(
    options: &DatabaseOptions,
    database: &Database,
) -> Result<String, CommandError> {
    let key = absolute(&installation::key_path(options, database)?);
    let url = match database {
        Database::Sqlite(_) => quoted(&format!("sqlite:{}", place(database))),
        Database::Postgres(_) => "URL".to_owned(),
    };
    Ok(format!("--database {url} --secret-key-file {}", quoted(&key.display().to_string())))
}

/// A word of a shell command.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Prints the first steps. The token is in the text if standard output is a terminal, and in a file otherwise.
pub(crate) fn print(url: &str, files: &Files, first: &Bootstrapped) -> io::Result<()> {
    let out = io::stdout();
    let token = first.issued.secret.expose();
    let text = if out.is_terminal() {
        first_steps(url, files, first, ("The token is not shown again.", token))
    } else {
        let path = absolute(&token_file(&files.key));
        write_token(&path, token)?;
        let place = format!("The token is in {}.", path.display());
        let token = format!("$(cat {})", quoted(&path.display().to_string()));
        first_steps(url, files, first, (&place, &token))
    };
    write!(out.lock(), "{text}")
}

/// Tells the operator how to take over the first organization in the console. The address is printed on a terminal, and
/// written to a file otherwise. Without a secret, a file of an earlier start is deleted.
pub(crate) fn print_entry(url: &str, files: &Files, secret: Option<&Secret>) -> io::Result<()> {
    let path = absolute(&files.key.with_extension("first-entry"));
    let Some(secret) = secret else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let address = format!("{url}{}/claim#{}", tenantry_web::ROOT, secret.expose());
    let out = io::stdout();
    if out.is_terminal() {
        return writeln!(
            out.lock(),
            "To take over the organization in the console, open this address within 15 minutes. It works once; each start
prints another one.

  {address}
"
        );
    }
    write_token(&path, &address)?;
    tracing::info!(file = %path.display(), "first entry is open: open the address in this file within 15 minutes");
    Ok(())
}

/// The file for the first token, beside the key file.
fn token_file(key: &Path) -> PathBuf {
    key.with_extension("first-token")
}

/// Writes the token to a new file, which replaces one of an earlier database.
fn write_token(path: &Path, token: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    key::write_new(path, token)
}

/// The text. The token is a sentence about its place, and a shell expression.
fn first_steps(url: &str, files: &Files, first: &Bootstrapped, (place, token): (&str, &str)) -> String {
    let (organization, customer) = (first.organization.id, first.customer.id);
    let (database, key) = (&files.database, absolute(&files.key));
    let (key, owner, program, options) = (key.display(), &first.owner_email, program(), &files.options);
    let new_token = files.new_token(SLUG);
    format!(
        "First start: the database was empty. Tenantry created the organization {organization}
({SLUG}), a team customer and an access token with all scopes. {place}

  documentation  {url}/docs
  database       {database}
  key file       {key}
  owner          {owner}

The owner gets the organization's mails; --bootstrap-owner EMAIL names another one at the first start. Back up database
and key file, apart from each other: the key file once, by copying it, because without it no token works; and the data by

{program} backup FILE {options}

To create another token:

{new_token}

export TOKEN={token}

curl -X POST {url}/v1/members/ -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\
  -d '{{\"customer_id\": \"{customer}\", \"email\": \"member@example.com\", \"name\": \"Jane Doe\"}}'

curl -X POST {url}/v2/accounts/{organization}/members -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -H 'Idempotency-Key: add-teammate-1' \\
  -d '{{\"email\": \"teammate@example.com\", \"name\": \"Jordan Lee\", \"role\": \"Developer\"}}'

curl -X PATCH {url}/v1/organizations/{organization} -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -d '{{\"name\": \"Acme\", \"website\": \"https://example.com\"}}'

"
    )
}
