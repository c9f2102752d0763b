//! Files that somebody has edited: each is refused with its line and field, and leaves nothing.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenantry_app::archive::ArchiveError;
use tenantry_store::Catalog;
use tenantry_testkit::{Acme, World};

use super::{export, export_with, full, import, other_world, with_sub_accounts};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sum of the SHA-256 of each line.
fn sum(lines: &[String]) -> String {
    let mut sum = [0_u8; 32];
    for line in lines {
        let mut carry = 0;
        for (to, from) in sum.iter_mut().zip(Sha256::digest(line)).rev() {
            let total = u16::from(*to) + u16::from(from) + carry;
            (*to, carry) = ((total & 255) as u8, total >> 8);
        }
    }
    hex(&sum)
}

/// The rows of a table in a file, which an edit changes.
type Rows = Vec<Vec<Value>>;

/// The file with the rows of a table edited, and right checksums.
fn edited(file: &[u8], table: &str, edit: impl FnOnce(&mut Rows)) -> Vec<u8> {
    let (mut out, mut rows, mut number) = (String::new(), Rows::new(), 0);
    let mut edit = Some(edit);
    for line in std::str::from_utf8(file).unwrap().lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        if let Value::Array(row) = value {
            rows.push(row);
            continue;
        }
        let line = if let Some(name) = value.get("end") {
            if name == table {
                edit.take().unwrap()(&mut rows);
            }
            let lines: Vec<String> = rows.drain(..).map(|row| Value::Array(row).to_string()).collect();
            number += lines.len();
            out.extend(lines.iter().map(|line| format!("{line}\n")));
            let (name, sum) = (name.as_str().unwrap(), sum(&lines));
            format!(r#"{{"end":"{name}","rows":{},"sha256":"{sum}"}}"#, lines.len())
        } else if let Some(passes) = value.get("passes") {
            let digest = hex(&Sha256::digest(&out));
            format!(r#"{{"passes":{passes},"rows":{number},"sha256":"{digest}"}}"#)
        } else {
            line.to_owned()
        };
        out.push_str(&line);
        out.push('\n');
    }
    assert!(edit.is_none(), "no table {table}");
    out.into_bytes()
}

/// The place of a column in the rows of a table.
fn place(table: &str, column: &str) -> usize {
    // Of people, the file has the id and the address alone.
    if table == "users" {
        return usize::from(column == "email");
    }
    Catalog::now().unwrap().table(table).unwrap().position(column).unwrap()
}

/// The file with another value in a column of each row of a table that has one there.
fn with_value(file: &[u8], table: &str, column: &str, value: &Value) -> Vec<u8> {
    let place = place(table, column);
    edited(file, table, |rows| {
        let is_set = rows.iter().any(|row| row[place] != Value::Null);
        let mut changed = rows.iter_mut().filter(|row| !is_set || row[place] != Value::Null);
        changed.next().unwrap()[place] = value.clone();
    })
}

fn text(outcome: Result<Option<tenantry_app::archive::OrganizationImportSummary>, ArchiveError>) -> String {
    outcome.unwrap_err().to_string()
}

/// Asserts that the file with this value is refused for its line and column, and changes nothing.
async fn refuses(world: &World, file: &[u8], (table, column, value): (&str, &str, Value), why: &str) {
    let before = world.database().rows();
    let refused = text(import(world, &with_value(file, table, column, &value)).await);
    let expected = format!("table {table}, column {column}: {why}");
    assert!(refused.starts_with("line ") && refused.contains(&expected), "{expected} {value}: {refused}");
    assert_eq!(world.database().rows(), before, "{table}.{column}");
}

#[tokio::test]
async fn a_value_that_the_program_could_not_read_is_refused() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    let unreadable = "one of its values does not parse";
    for (table, column, value) in [
        ("organizations", "slug", json!("Not A Slug")),
        ("organizations", "status", json!("splendid")),
        ("organizations", "profile", json!("{")),
        ("team_members", "role", json!("king")),
        ("team_members", "email", json!("nobody")),
        ("access_tokens", "scopes", json!("[")),
        ("access_tokens", "ip_allow_list", json!("{}")),
        ("access_tokens", "secret_hash", json!("AAAA")),
        ("access_tokens", "previous_secret_hash", json!("AAAA")),
        ("credentials", "secret_hash", json!("AAAA")),
        ("customers", "kind", json!("robot")),
        ("customers", "email", json!("nobody")),
        ("customers", "metadata", json!("[]")),
        ("customers", "billing", json!("{")),
        ("customers", "locale", json!("??")),
        ("members", "role", json!("god")),
        ("members", "email", json!("nobody")),
        ("webhook_endpoints", "url", json!("javascript:alert(1)")),
        ("webhook_endpoints", "format", json!("fax")),
        ("webhook_endpoints", "events", json!("{}")),
        ("webhook_events", "type", json!("customer.exploded")),
        ("webhook_events", "data", json!("{}")),
        ("audit_entries", "after", json!("[]")),
    ] {
        let why = if column == "email" { "" } else { unreadable };
        refuses(&world, &file, (table, column, value), why).await;
    }
    import(&world, &file).await.unwrap().unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_value_of_a_form_that_no_row_has_is_refused() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    for (table, column, value, why) in [
        ("organizations", "name", Value::Null, "it has no value"),
        ("organizations", "purge_began_at", json!(5), "the organization is being purged"),
        ("customers", "created_at", json!(-5), "it is not a time until the year 9999"),
        ("customers", "created_at", json!(i64::MAX), "it is not a time until the year 9999"),
        ("customers", "id", json!("00000000-0000-0000-0000-000000000000"), "it is not an id"),
        ("webhook_queues", "last_sequence", json!(i64::MAX), "the number is too large"),
        ("audit_entries", "request_id", json!("x".repeat(2 << 20)), "the text is too long"),
        ("customers", "email_key", json!("another@example.com"), "its e-mail key does not match its address"),
        ("webhook_endpoints", "secret", json!("AAAA"), ""),
    ] {
        if (table, column) == ("webhook_endpoints", "secret") {
            let refused = text(import(&world, &with_value(&file, table, column, &value)).await);
            assert!(refused.contains("the secret of webhook_endpoints"), "{refused}");
            continue;
        }
        let column_of_check = if column == "email_key" { "email" } else { column };
        let before = world.database().rows();
        let refused = text(import(&world, &with_value(&file, table, column, &value)).await);
        let expected = format!("table {table}, column {column_of_check}: {why}");
        assert!(refused.starts_with("line ") && refused.contains(&expected), "{expected}: {refused}");
        assert_eq!(world.database().rows(), before, "{table}.{column}");
    }
    import(&world, &file).await.unwrap().unwrap();
}

#[tokio::test]
async fn rows_that_contradict_each_other_are_refused() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let before = world.database().rows();
    for (table, column, value, why) in [
        ("users", "email", json!("somebody.else@example.com"), "it is not the address of this person"),
        ("row_counters", "row_count", json!(77), "row_counters differ"),
        ("organizations", "sub_account_count", json!(5), "sub_account_count differs"),
        ("customer_metadata", "value", json!("silver"), "customer_metadata differ from its metadata"),
        (
            "webhook_queues",
            "last_sequence",
            json!(0),
            "its sequence number is above that of its endpoint's queue",
        ),
        (
            "credentials",
            "secret_hash",
            json!("A".repeat(43) + "="),
            "it is neither the current nor the previous",
        ),
        ("credentials", "subject_id", json!("01a20011-44c7-4f64-8000-21a102c19d45"), ""),
    ] {
        let refused = text(import(&world, &with_value(&file, table, column, &value)).await);
        assert!(refused.contains(why), "{table}.{column}: {refused}");
        assert_eq!(world.database().rows(), before, "{table}.{column}");
    }
    let developers = edited(&file, "team_members", |rows| {
        rows.iter_mut().for_each(|row| row[place("team_members", "role")] = json!("developer"));
    });
    let refused = text(import(&world, &developers).await);
    assert!(refused.contains("does not have exactly one owner"), "{refused}");
    let ownerless = edited(&file, "members", |rows| {
        rows.iter_mut().for_each(|row| row[place("members", "role")] = json!("member"));
    });
    let refused = text(import(&world, &ownerless).await);
    assert!(refused.contains("one owner of a customer"), "{refused}");
    // The same address twice: the database refuses the row, and the message names its line.
    let twice = edited(&file, "customers", |rows| {
        let (email, key) = (place("customers", "email"), place("customers", "email_key"));
        let live = |row: &&mut Vec<Value>| row[place("customers", "deleted_at")] == Value::Null;
        let mut live: Vec<_> = rows.iter_mut().filter(live).collect();
        let taken = (live[0][email].clone(), live[0][key].clone());
        (live[1][email], live[1][key]) = taken;
        live[1][place("customers", "search_text")] = live[0][place("customers", "search_text")].clone();
        live[1][place("customers", "name")] = live[0][place("customers", "name")].clone();
        live[1][place("customers", "billing")] = live[0][place("customers", "billing")].clone();
    });
    let refused = text(import(&world, &twice).await);
    assert!(refused.starts_with("line ") && refused.contains("customers_email"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

/// The id of a person of the world whom no file declares.
async fn bystander(world: &World) -> String {
    let organization = world.organization_owned_by("bystanders", "bystander@example.com").await;
    let owner = world.user(&organization.owner, "*").await;
    owner.actor().to_string()
}

#[tokio::test]
async fn a_file_never_names_a_person_here_by_an_id_that_it_does_not_declare() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let person = bystander(&world).await;
    let undeclared = "the file does not declare this person";
    for (table, column) in [
        ("organizations", "owner_user_id"),
        ("team_members", "user_id"),
        ("webhook_queues", "owner_user_id"),
        ("former_team_members", "user_id"),
    ] {
        refuses(&world, &file, (table, column, json!(person)), undeclared).await;
    }
    // A token and the log may name people who were deleted. These get another id than anybody here has.
    let file = with_value(&file, "access_tokens", "created_by_user_id", &json!(person));
    let place_of = |column| place("audit_entries", column);
    let file = edited(&file, "audit_entries", |rows| {
        let row = rows.iter_mut().find(|row| row[place_of("action")] == "customer.created").unwrap();
        row[place_of("actor_kind")] = json!("user");
        row[place_of("actor_id")] = json!(person);
    });
    import(&world, &file).await.unwrap().unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
    let again = export_with(&world, acme.organization.id, with_sub_accounts()).await.unwrap();
    assert!(!String::from_utf8(again).unwrap().contains(&person));
}

#[tokio::test]
async fn an_organization_with_the_id_of_a_person_is_refused() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = String::from_utf8(export(&acme).await).unwrap();
    let person = bystander(&world).await;
    let before = world.database().rows();
    let file = file.replace(&acme.organization.id.to_string(), &person);
    let file = edited(file.as_bytes(), "organizations", |_| ());
    let refused = text(import(&world, &file).await);
    assert!(refused.contains("a person with the id"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

#[tokio::test]
async fn a_person_does_not_return_before_the_deletion_here_is_finished() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = String::from_utf8(export(&acme).await).unwrap();
    let other = world.organization("other").await;
    world.token(&other, "*").await;
    // The person has the id of an organization, which both engines can copy.
    world.database().execute(
        "INSERT INTO user_deletions (user_id, created_at, actor_kind, seed)
         SELECT id, 5, 'operator', (SELECT secret_hash FROM credentials LIMIT 1) FROM organizations",
    );
    let before = world.database().rows();
    let ada = acme.world.user("ada@team.example.com", "*").await.actor();
    let file = file.replace(&ada.to_string(), &other.id.to_string());
    let refused = text(import(&world, &edited(file.as_bytes(), "organizations", |_| ())).await);
    assert!(refused.contains("is not finished: import again"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

/// The hash of a token of an organization, as its export has it.
async fn hash_of(world: &World, organization: tenantry_core::ids::OrganizationId) -> Value {
    let file = export_with(world, organization, with_sub_accounts()).await.unwrap();
    let mut hash = None;
    edited(&file, "credentials", |rows| hash = Some(rows[0][place("credentials", "secret_hash")].clone()));
    hash.unwrap()
}

#[tokio::test]
async fn a_refused_file_ends_no_credential_of_another_organization() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let victim = world.organization("victim").await;
    let token = world.token(&victim, "*").await;
    let hash = hash_of(&world, victim.id).await;
    let file = with_value(&file, "access_tokens", "secret_hash", &hash);
    // No audit entry of the file names this former member.
    let nobody = "12345678-1234-4234-8234-123456789012";
    let file = edited(&file, "users", |rows| rows.push(vec![json!(nobody), json!("nobody@example.com")]));
    let file = edited(&file, "former_team_members", |rows| {
        let mut row = rows[0].clone();
        row[place("former_team_members", "user_id")] = json!(nobody);
        rows.push(row);
    });
    let file = with_value(&file, "webhook_events", "type", &json!("customer.exploded"));
    let before = world.database().rows();
    text(import(&world, &file).await);
    assert_eq!(world.database().rows(), before);
    token.get("/v1/customers").await.expect(200);
}

#[tokio::test]
async fn an_export_waits_for_the_deletion_of_a_person_of_the_team() {
    let acme = Acme::new().await;
    // Nobody has the id of the organization.
    let former =
        "INSERT INTO former_team_members (user_id, organization_id) SELECT id, id FROM organizations";
    acme.world.database().execute(former);
    let refused = export_with(&acme.world, acme.organization.id, with_sub_accounts()).await.unwrap_err();
    assert!(refused.to_string().contains("deletion of a person"), "{refused}");
}
