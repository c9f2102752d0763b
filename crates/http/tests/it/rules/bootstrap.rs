//! The first start, of several nodes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::{App, Clock, HashKey, moments};
use tenantry_core::Timestamp;
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_testkit::Database;

fn first(app: &App) -> Bootstrap {
    Bootstrap {
        name: OrganizationName::parse("Acme").unwrap(),
        slug: Slug::parse("acme").unwrap(),
        owner_email: EmailAddress::parse("owner@acme.dev").unwrap(),
        customer_email: EmailAddress::parse("first@acme.dev").unwrap(),
        hash_key: app.hash_key().clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_nodes_makes_the_first_organization() {
    let database = Database::of_environment();
    let ticks = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let clock: Clock = Arc::new(move || Timestamp::from_micros(ticks.fetch_add(1, Ordering::Relaxed)));
    let node =
        || App::new(database.open(moments(Arc::clone(&clock))), Arc::clone(&clock), HashKey::new([1; 32]));
    let nodes = [node(), node(), node(), node()];
    let mut made = 0;
    let [one, two, three, four] = nodes.each_ref().map(|app| app.bootstrap(first(app)));
    let (one, two, three, four) = tokio::join!(one, two, three, four);
    for outcome in [one, two, three, four] {
        made += usize::from(outcome.unwrap().is_some());
    }
    assert_eq!(made, 1);
}
