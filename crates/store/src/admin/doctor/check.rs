//! One check of the doctor: a condition on the rows of a table.

pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    /// The condition that a faulty row `t` meets.
    pub(super) fault: &'static str,
    pub(super) says: &'static str,
}

pub(super) const fn check(
    name: &'static str,
    table: &'static str,
    says: &'static str,
    fault: &'static str,
) -> Check {
    Check { name, table, fault, says }
}
