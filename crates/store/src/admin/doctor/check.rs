//! One check of the doctor: a condition on the rows of a table.

use super::Rule;

pub(super) struct Check {
    pub(super) rule: Rule,
    /// The SQL condition that a faulty row `t` meets.
    pub(super) fault: &'static str,
}

pub(super) const fn check(
    invariant: &'static str,
    table: &'static str,
    description: &'static str,
    fault: &'static str,
) -> Check {
    Check { rule: Rule { invariant, table, description }, fault }
}
