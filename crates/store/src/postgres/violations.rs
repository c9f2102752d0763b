//! Finds the constraint that a change violated.
//!
//! PostgreSQL names it in a field of the error. Citus appends the number of a shard to the names of unique indexes
//! (`members_email_102030`), and forwards the error of a worker as a message without that field. The language and
//! the quotes of a message depend on the server, so this searches the message for names of this schema.

use crate::schema::migrations::constraints;

/// The constraint of this schema that an error names in its field or in its message.
pub(super) fn constraint(field: Option<&str>, message: &str) -> Option<&'static str> {
    let words = message.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    field.into_iter().chain(words).find_map(known)
}

/// The constraint with this name, which can have the number of a shard appended.
fn known(name: &str) -> Option<&'static str> {
    let all = constraints();
    let whole = name.trim_end_matches(|letter: char| letter.is_ascii_digit()).strip_suffix('_');
    all.get(name).or_else(|| all.get(whole?)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_its_own_names_the_constraint_in_a_field() {
        assert_eq!(constraint(Some("members_email"), "whatever it says"), Some("members_email"));
        assert_eq!(constraint(Some("members_pkey"), "\"members_email\""), Some("members_pkey"));
    }

    #[test]
    fn a_shard_of_the_node_itself_has_its_number_in_the_field() {
        assert_eq!(constraint(Some("users_email_102008"), ""), Some("users_email"));
    }

    #[test]
    fn a_worker_names_it_in_the_message_alone_in_any_language() {
        for (message, name) in [
            ("duplicate key value violates unique constraint \"members_email_102030\"", "members_email"),
            ("duplicate key value violates unique constraint \"members_pkey_7\"", "members_pkey"),
            ("doppelter Schlüsselwert verletzt Unique-Constraint »members_owner_102030«", "members_owner"),
            (
                "la valeur d'une clé dupliquée rompt la contrainte unique «\u{a0}customers_email_102030\u{a0}»",
                "customers_email",
            ),
            (
                "リレーション\"members_102030\"の新しい行は検査制約\"members_role\"に違反しています",
                "members_role",
            ),
            (
                "new row for relation \"organizations_102044\" violates check constraint \
                 \"organizations_one_level\"",
                "organizations_one_level",
            ),
        ] {
            assert_eq!(constraint(None, message), Some(name), "{message}");
        }
    }

    #[test]
    fn what_names_no_constraint_of_the_schema_names_none() {
        for message in [
            "null value in column \"email\" of relation \"members_102030\" violates not-null constraint",
            "duplicate key value violates unique constraint \"members_email_102030_old\"",
            "duplicate key value violates unique constraint \"their_members_email\"",
            "",
        ] {
            assert_eq!(constraint(None, message), None, "{message}");
        }
        assert_eq!(constraint(Some("schema_migrations_pkey"), ""), None);
    }
}
