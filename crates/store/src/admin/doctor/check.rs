//! A check that one condition of SQL expresses.

/// A condition that no row `t` of a table may meet.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
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
