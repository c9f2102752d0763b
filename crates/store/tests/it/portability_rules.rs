//! The rules that SQL must follow to run on Citus, each with a text that breaks it.
//!
//! Citus sends a query to one shard when each table in it, at every level, is compared with the tenant at that level;
//! a comparison with an outer row is not enough. A query over several shards is accepted in fewer forms: it must not
//! lock rows, and should have no sub-query.

/// The comparisons that restrict a query to tenants: one parameter, several, or the list that `Query::organizations`
/// builds.
const RESTRICTIONS: [&str; 3] = [" = ?", " IN (?", " {tenants}"];

/// The length from which a name leaves no room for a shard's number within PostgreSQL's 63 bytes.
const TOO_LONG: usize = 43;

/// Functions whose value differs between nodes or over time.
const VOLATILE: [&str; 7] = [
    "now()",
    "random()",
    "CURRENT_TIMESTAMP",
    "current_timestamp",
    "gen_random_uuid",
    "clock_timestamp",
    "datetime(",
];

/// The column that names a table's tenant.
pub(super) fn tenant_column(table: &str) -> &'static str {
    if table == "organizations" { "id" } else { "organization_id" }
}

/// The levels of a query: the query itself, and every sub-query. In each level `(_)` stands for a sub-query.
pub(super) fn levels(sql: &str) -> Vec<String> {
    let (mut own, mut inner, mut rest) = (String::new(), Vec::new(), sql);
    while let Some(at) = rest.find('(') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        own.push_str(before);
        if after.trim_start().starts_with("SELECT") {
            let end = closing(after);
            inner.extend(levels(&after[..end]));
            own.push_str("(_)");
            rest = after.get(end + 1..).unwrap_or_default();
        } else {
            own.push('(');
            rest = after;
        }
    }
    own.push_str(rest);
    [vec![own], inner].concat()
}

/// The position at which the open parenthesis closes, or the end of the text.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Whether a level of a query reads or writes a table.
pub(super) fn uses_table(level: &str, table: &str) -> bool {
    ["FROM", "INTO", "UPDATE", "JOIN"].iter().any(|word| {
        level.match_indices(&format!("{word} {table}")).any(|(at, found)| {
            let next = level[at + found.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
    })
}

/// Whether a level of a query is restricted to given tenants, or inserts a tenant's row.
pub(super) fn names_tenant(level: &str, table: &str) -> bool {
    let column = tenant_column(table);
    // `parent_id` is not `id`.
    let is_whole = |at: usize| !level[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    RESTRICTIONS
        .iter()
        .any(|restriction| level.match_indices(&format!("{column}{restriction}")).any(|(at, _)| is_whole(at)))
        || level.contains("INSERT INTO")
}

/// The tables of `tables` that a level of the query uses without a restriction to tenants.
pub(super) fn unrestricted<'t>(sql: &str, tables: &'t [String], but_the_first: bool) -> Vec<&'t str> {
    let levels = levels(sql);
    let levels = levels.iter().skip(usize::from(but_the_first));
    let open = levels.flat_map(|level| {
        tables
            .iter()
            .filter(|table| uses_table(level, table) && !names_tenant(level, table))
            .map(String::as_str)
    });
    open.collect()
}

/// The fault of a query over several tenants, if it has one.
pub(super) fn fault_over_several(sql: &str) -> Option<&'static str> {
    for level in levels(sql) {
        let columns = level.split(" FROM ").next().unwrap_or_default();
        if columns.starts_with("SELECT") && columns.contains("(_)") {
            return Some("a sub-query among the columns");
        }
        if ["UPDATE", "DELETE"].iter().any(|word| level.starts_with(word)) && level.contains("(_)") {
            return Some("a sub-query in an UPDATE or DELETE");
        }
        if level.contains("FOR UPDATE") || level.contains("{hold}") {
            return Some("rows of several tenants are locked");
        }
    }
    None
}

/// The fault of a query of any kind, if it has one.
pub(super) fn fault(sql: &str) -> Option<&'static str> {
    if sql.contains("INSERT INTO") && sql.contains("SELECT") {
        return Some("a sub-query in an INSERT");
    }
    if sql.match_indices("CASE ").any(|(at, word)| !sql[at + word.len()..].trim_start().starts_with("WHEN")) {
        return Some("CASE x WHEN, which Citus rewrites wrongly in a prepared statement: CASE WHEN x = ..");
    }
    VOLATILE.iter().any(|word| sql.contains(word)).then_some("a function whose value differs between nodes")
}

/// The fault of the name of a table, a constraint or an index, if it has one.
pub(super) fn fault_of_name(name: &str) -> Option<&'static str> {
    if name.len() >= TOO_LONG {
        return Some("no room for a shard's number");
    }
    let whole = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (whole != name && whole.ends_with('_')).then_some("it ends like the name of a shard")
}

/// The fault of a statement of a migration, if it has one.
pub(super) fn fault_of_migration(statement: &str) -> Option<&'static str> {
    let clauses = [" ADD ", " DROP ", " ALTER "].iter().map(|word| statement.matches(word).count());
    if statement.starts_with("ALTER TABLE") && clauses.sum::<usize>() > 1 {
        return Some("several changes in one ALTER TABLE");
    }
    let is_named = |at: usize| statement[..at].trim_end().rsplit(' ').nth(1) == Some("CONSTRAINT");
    let checks = ["CHECK", "PRIMARY KEY", "UNIQUE ("].iter().flat_map(|word| statement.match_indices(word));
    checks.map(|(at, _)| at).any(|at| !is_named(at)).then_some("a constraint without a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<String> {
        ["organizations", "customers", "members"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_query_is_split_into_levels() {
        let sql = "SELECT a, (SELECT b FROM c WHERE (d, e) IN (SELECT f FROM g)) FROM h WHERE lower(i) = ?1";
        assert_eq!(
            levels(sql),
            [
                "SELECT a, (_) FROM h WHERE lower(i) = ?1",
                "SELECT b FROM c WHERE (d, e) IN (_)",
                "SELECT f FROM g",
            ]
        );
    }

    #[test]
    fn every_level_is_restricted_to_the_tenant() {
        let outer = "SELECT id FROM customers WHERE organization_id = ?1 AND EXISTS (SELECT 1 FROM members";
        let by_row = format!("{outer} WHERE organization_id = customers.organization_id)");
        assert_eq!(unrestricted(&by_row, &tables(), false), ["members"]);
        let by_name = format!("{outer} WHERE organization_id = ?1)");
        assert!(unrestricted(&by_name, &tables(), false).is_empty());
        let by_several = format!("{outer} WHERE organization_id {{tenants}})");
        assert!(unrestricted(&by_several, &tables(), false).is_empty());
        assert_eq!(
            unrestricted("SELECT 1 FROM organizations WHERE parent_id = ?1", &tables(), false),
            ["organizations"]
        );
        let piece =
            "FROM members WHERE role = ?1 AND customer_id IN (SELECT id FROM customers WHERE id = ?2)";
        assert_eq!(unrestricted(piece, &tables(), true), ["customers"]);
    }

    #[test]
    fn queries_over_several_tenants_are_simple() {
        for bad in [
            "SELECT id, (SELECT count(*) FROM members WHERE organization_id = t.id) FROM organizations AS t",
            "SELECT id FROM organizations WHERE parent_id = ?1 FOR UPDATE",
            "SELECT id FROM organizations WHERE parent_id = ?1{hold}",
            "DELETE FROM mails WHERE id IN (SELECT id FROM mails LIMIT ?1)",
        ] {
            assert!(fault_over_several(bad).is_some(), "{bad}");
        }
        assert!(
            fault_over_several("SELECT id FROM (SELECT id FROM mails) AS t ORDER BY id LIMIT ?1").is_none()
        );
    }

    #[test]
    fn values_are_computed_by_the_program() {
        for bad in [
            "INSERT INTO mails (id) VALUES ((SELECT max(id) FROM mails WHERE organization_id = ?1))",
            "UPDATE mails SET due_at = now() WHERE organization_id = ?1",
            "UPDATE mails SET content = CASE content WHEN 'a' THEN 'b' END WHERE organization_id = ?1",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        assert!(fault("INSERT INTO mails (id) VALUES (?1)").is_none());
        assert!(fault("UPDATE mails SET content = CASE\n WHEN content = ?1 THEN ?2 END").is_none());
    }

    #[test]
    fn a_name_leaves_room_for_the_number_of_a_shard() {
        assert!(fault_of_name("customers_individual_customers_have_one_member").is_some());
        assert!(fault_of_name("members_email_2").is_some());
        assert!(fault_of_name("members_email").is_none() && fault_of_name("sha256").is_none());
    }

    #[test]
    fn a_migration_changes_one_thing_at_a_time_and_names_its_constraints() {
        for bad in [
            "ALTER TABLE a ADD COLUMN b {{int}}, ADD COLUMN c {{int}}",
            "ALTER TABLE a ADD COLUMN b {{int}} CHECK (b > 0)",
            "CREATE TABLE a (b {{int}} PRIMARY KEY)",
        ] {
            assert!(fault_of_migration(bad).is_some(), "{bad}");
        }
        let good = "ALTER TABLE a ADD COLUMN b {{int}} NOT NULL DEFAULT 0 CONSTRAINT a_b CHECK (b > 0)";
        assert!(fault_of_migration(good).is_none());
    }
}
