//! The limits of codes for signing in: nobody finds one by guessing, and nobody uses up those of another person.

use std::net::IpAddr;

use serde_json::{Value, json};
use tenantry_app::Error;
use tenantry_app::portal_sign_in::{PortalCodeEntry, PortalCodeRequest, PortalEntered};
use tenantry_core::audit::Client;
use tenantry_core::ids::OrganizationId;
use tenantry_core::portal::{
    CODES_OF_ORGANIZATION_PER_HOUR, CODES_OF_SITE_PER_HOUR, CODES_PER_HOUR, KNOWN_SITE_S, PortalError,
    WRONG_CODES_OF_HOST_PER_HOUR, WRONG_CODES_OF_PROVIDER_PER_HOUR, WRONG_CODES_OF_SITE_PER_HOUR,
    WRONG_CODES_PER_HOUR,
};
use tenantry_core::values::EmailAddress;
use tenantry_testkit::World;

use super::sign_in::{AUTHENTICATE, code, enter, enter_in, flow, flow_from, guess, mailed, network, refused};
use super::tenant::{both, tenant};

/// The address of a person who asks for a code and enters it.
const HOME: &str = "203.0.113.9";
/// An address of another provider.
const ELSEWHERE: &str = "198.51.100.1";

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// Asks for a code by the API from an address.
async fn alone_from(
    world: &World,
    organization: OrganizationId,
    email: &str,
    from: Option<IpAddr>,
) -> Option<String> {
    let email = EmailAddress::parse(email).unwrap();
    let request = PortalCodeRequest { organization, email, language: None, address: from };
    world.app.portal_request_code_alone(request, None).await.unwrap();
    mailed(world).await
}

/// Sends wrong codes from these addresses. Returns how many were looked at, and how many were refused unread.
async fn guesses(world: &World, from: impl Iterator<Item = Option<IpAddr>>, not: &[&str]) -> (u32, u32) {
    let (mut wrong, mut unread) = (0, 0);
    for (number, from) in from.enumerate() {
        let guessed = format!("{number:06}");
        assert!(!not.contains(&guessed.as_str()));
        match guess(world, &guessed, from).await {
            Err(Error::Portal(PortalError::CodeInvalid)) => wrong += 1,
            Err(Error::TooManyAttempts { retry_after_s }) => {
                assert!(retry_after_s <= 301, "{retry_after_s}");
                unread += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    (wrong, unread)
}

#[tokio::test]
async fn ten_thousand_guesses_find_nothing_and_lock_nobody_else_out() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    for name in ["ada", "bob", "cy", "di"] {
        acme.individual(&format!("{name}@x.dev")).await;
    }
    let alone = alone_from(&world, acme.id, "ada@x.dev", address(HOME)).await.unwrap();
    let (flow, in_flow) = flow(&world, acme.id, "bob@x.dev").await;
    let in_flow = in_flow.unwrap();
    let found = guesses(&world, (0..10_000).map(network), &[&alone, &in_flow]).await;
    assert_eq!(found, (WRONG_CODES_PER_HOUR, 10_000 - WRONG_CODES_PER_HOUR));
    // The code of a flow is not found without its flow, even before the ceiling, and works in its flow beyond it.
    assert!(matches!(guess(&world, &in_flow, network(20_000)).await, Err(Error::TooManyAttempts { .. })));
    assert!(matches!(enter_in(&world, acme.id, (&flow, &in_flow)).await, PortalEntered::SignedIn(_)));
    let (flow, code) = self::flow(&world, acme.id, "cy@x.dev").await;
    assert!(matches!(enter_in(&world, acme.id, (&flow, &code.unwrap())).await, PortalEntered::SignedIn(_)));
    // A code of the API, which a guess could have hit, works for the host that asked for it, and is not used up by others.
    assert!(matches!(guess(&world, &alone, network(30_000)).await, Err(Error::TooManyAttempts { .. })));
    guess(&world, &alone, address(HOME)).await.unwrap();
    let later = alone_from(&world, acme.id, "di@x.dev", address(HOME)).await.unwrap();
    assert!(matches!(guess(&world, &later, address(ELSEWHERE)).await, Err(Error::TooManyAttempts { .. })));
    world.advance_s(60);
    guess(&world, &later, address(ELSEWHERE)).await.unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_guesses_of_one_provider_bind_its_own_codes_alone() {
    // A site has as many hosts as it likes, and a provider as many sites.
    let host_of_site = |number: u32| address(&format!("2001:db8:1:{number:x}::1"));
    let site_of_provider = |number: u32| address(&format!("2001:db8:{:x}::1", number + 2));
    let v4 = |number: u32| address(&format!("192.0.{}.{}", number / 250, number % 250 + 1));
    for (addresses, most) in [
        ((0..1_000).map(host_of_site).collect::<Vec<_>>(), WRONG_CODES_OF_SITE_PER_HOUR),
        ((0..1_000).map(site_of_provider).collect(), WRONG_CODES_OF_PROVIDER_PER_HOUR),
        ((0..1_000).map(v4).collect(), WRONG_CODES_OF_PROVIDER_PER_HOUR),
    ] {
        let world = World::new();
        let acme = tenant(&world, "acme", both()).await;
        for name in ["ada", "bob"] {
            acme.individual(&format!("{name}@x.dev")).await;
        }
        let inside = addresses[0];
        let theirs = alone_from(&world, acme.id, "ada@x.dev", inside).await.unwrap();
        let others = alone_from(&world, acme.id, "bob@x.dev", address(HOME)).await.unwrap();
        let found = guesses(&world, addresses.iter().skip(1).copied(), &[&theirs, &others]).await;
        assert_eq!(found, (most, 999 - most));
        // There, a code works for its own host alone. Elsewhere nothing has changed.
        let neighbour = addresses[500];
        assert!(matches!(guess(&world, &theirs, neighbour).await, Err(Error::TooManyAttempts { .. })));
        guess(&world, &theirs, inside).await.unwrap();
        guess(&world, &others, address(ELSEWHERE)).await.unwrap();
    }
}

#[tokio::test]
async fn guesses_of_one_host_stop_that_host_alone() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    let right = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    let attacker = world.anonymous().at("192.0.2.1");
    let guess = async || attacker.post(AUTHENTICATE, json!({"code": "WRONG1"})).await;
    for _ in 0..WRONG_CODES_OF_HOST_PER_HOUR {
        refused(&guess().await);
    }
    let stopped = guess().await;
    stopped.assert_error(429, "TooManyRequests");
    let wait: u64 = stopped.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=301).contains(&wait), "{wait}");
    // Even the right code does not tell an attacker that it is right.
    attacker.post(AUTHENTICATE, json!({"code": right})).await.expect(429);
    // What was refused unread counts for nobody: the neighbour has the other half of the site's.
    for _ in 0..WRONG_CODES_OF_SITE_PER_HOUR {
        guess().await.expect(429);
    }
    let neighbour = world.anonymous().at("192.0.2.2");
    refused(&neighbour.post(AUTHENTICATE, json!({"code": "WRONG1"})).await);
    neighbour.post(AUTHENTICATE, json!({"code": right})).await.expect(200);
}

#[tokio::test]
async fn right_codes_do_not_count() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    for number in 0..=WRONG_CODES_OF_HOST_PER_HOUR {
        let email = format!("ada{number}@x.dev");
        acme.individual(&email).await;
        let code = code(&acme, &email, Value::Null).await.unwrap();
        enter(&world, &code.to_lowercase()).await.expect(200);
    }
}

#[tokio::test]
async fn a_stranger_uses_up_no_codes_of_a_person() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    let most = CODES_OF_SITE_PER_HOUR;
    // The stranger has a site with many hosts, and asks on the page and by the API.
    let (mut by_page, mut by_api) = (0, 0);
    for number in 0..50 {
        let from = address(&format!("2001:db8:1:{number:x}::1"));
        by_page += u32::from(flow_from(&world, acme.id, "ada@x.dev", from).await.1.is_some());
        by_api += u32::from(alone_from(&world, acme.id, "ada@x.dev", from).await.is_some());
    }
    assert_eq!((by_page, by_api), (most, most));
    for number in 0..=most {
        let (flow, code) = flow_from(&world, acme.id, "ada@x.dev", address(HOME)).await;
        assert_eq!(code.is_some(), number < most, "{number}");
        // Asking again ends no code that was mailed before.
        if let Some(code) = code {
            assert!(matches!(enter_in(&world, acme.id, (&flow, &code)).await, PortalEntered::SignedIn(_)));
        }
        let code = alone_from(&world, acme.id, "ada@x.dev", address(HOME)).await;
        assert_eq!(code.is_some(), number < most, "{number}");
    }
    world.advance_s(3_600 / i64::from(most));
    assert!(alone_from(&world, acme.id, "ada@x.dev", address(HOME)).await.is_some());
}

#[tokio::test]
async fn a_person_gets_codes_where_they_have_signed_in_whoever_asks_elsewhere() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    let (flow, code) = flow_from(&world, acme.id, "ada@x.dev", address(HOME)).await;
    let client = Client::new(address(HOME), None);
    let entry =
        PortalCodeEntry { organization: acme.id, flow, code: code.unwrap(), request_id: None, client };
    assert!(matches!(world.app.portal_enter_code(entry).await.unwrap(), PortalEntered::SignedIn(_)));
    world.advance_s(KNOWN_SITE_S - 2);
    let exhaust = async || {
        for number in 1..=CODES_PER_HOUR {
            let from = network(number);
            assert!(flow_from(&world, acme.id, "ada@x.dev", from).await.1.is_some());
            assert!(alone_from(&world, acme.id, "ada@x.dev", from).await.is_some());
        }
    };
    exhaust().await;
    assert_eq!(alone_from(&world, acme.id, "ada@x.dev", address(ELSEWHERE)).await, None);
    for number in 0..=CODES_OF_SITE_PER_HOUR {
        let code = flow_from(&world, acme.id, "ada@x.dev", address("203.0.113.77")).await.1;
        assert_eq!(code.is_some(), number < CODES_OF_SITE_PER_HOUR, "{number}");
    }
    assert!(alone_from(&world, acme.id, "ada@x.dev", address(HOME)).await.is_some());
    // Thirty days later the site is forgotten.
    world.advance_s(3_600);
    world.app.sweep().await.unwrap();
    exhaust().await;
    assert_eq!(alone_from(&world, acme.id, "ada@x.dev", address(HOME)).await, None);
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_address_gets_some_codes_an_hour_from_each_organization() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let other = tenant(&world, "other", both()).await;
    for tenant in [&acme, &other] {
        tenant.individual("ada@x.dev").await;
        tenant.individual("ada+tag@x.dev").await;
        for _ in 0..CODES_PER_HOUR {
            assert!(code(tenant, "ada@x.dev", Value::Null).await.is_some());
        }
        assert_eq!(code(tenant, "ada+tag@x.dev", Value::Null).await, None, "the same mailbox");
    }
    world.advance_s(3_600);
    assert!(code(&acme, "ada@x.dev", Value::Null).await.is_some());
}

#[tokio::test]
async fn an_address_that_gets_no_more_codes_uses_up_none_of_the_organization() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    acme.individual("bob@x.dev").await;
    for number in 0..=CODES_OF_ORGANIZATION_PER_HOUR {
        let (_, code) = flow_from(&world, acme.id, "ada@x.dev", network(number)).await;
        assert_eq!(code.is_some(), number < CODES_PER_HOUR);
    }
    let (_, code) = flow(&world, acme.id, "bob@x.dev").await;
    assert!(code.is_some());
}
