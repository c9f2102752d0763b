//! The first start on an empty database: creates an organization and a token, and explains what to do next.
//!
//! The token is printed on a terminal alone. Elsewhere, standard output usually ends up in a journal that many
//! people read, so the token is written to a file that only its owner can read.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tenantry_app::App;
use tenantry_app::bootstrap::{Bootstrap, Bootstrapped};
use tenantry_core::values::{EmailAddress, InvalidValue, OrganizationName, Slug};

use crate::error::CommandError;
use crate::key;

/// The slug of the first organization.
const SLUG: &str = "my-organization";

/// Fills an empty database. Returns `None` if the database is not empty.
pub(crate) async fn create(app: &App) -> Result<Option<Bootstrapped>, CommandError> {
    let invalid = |value: InvalidValue| CommandError::Message(value.to_string());
    let bootstrap = Bootstrap {
        name: OrganizationName::parse("My Organization").map_err(invalid)?,
        slug: Slug::parse(SLUG).map_err(invalid)?,
        owner_email: EmailAddress::parse("owner@example.com").map_err(invalid)?,
        customer_email: EmailAddress::parse("team@example.com").map_err(invalid)?,
        hash_key: app.hash_key().clone(),
    };
    Ok(app.bootstrap(bootstrap).await?)
}

/// The files of the installation, as shown to the operator.
pub(crate) struct Files {
    pub(crate) database: String,
    pub(crate) key: PathBuf,
}

/// Prints the first steps. The token is in the text if standard output is a terminal, and in a file otherwise.
pub(crate) fn print(url: &str, files: &Files, first: &Bootstrapped) -> io::Result<()> {
    let out = io::stdout();
    let token = first.issued.secret.expose();
    let text = if out.is_terminal() {
        first_steps(url, files, first, token)
    } else {
        let path = token_file(&files.key);
        write_token(&path, token)?;
        first_steps(url, files, first, &format!("$(cat '{}')", path.display()))
    };
    write!(out.lock(), "{text}")
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

/// The text. `token` is a shell expression.
fn first_steps(url: &str, files: &Files, first: &Bootstrapped, token: &str) -> String {
    let (organization, customer) = (first.organization.id, first.customer.id);
    let (database, key) = (&files.database, files.key.display());
    format!(
        "First start: the database was empty. Tenantry created the organization {organization}
({SLUG}), a team customer and an access token, which is not shown again.

  documentation  {url}/docs
  database       {database}
  key file       {key}

Back up both, apart from each other: the data with `tenantry backup FILE`, the key file by copying it. Without the
key file no token works. To create another token:
`tenantry token create --organization {SLUG} --all-scopes`

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
