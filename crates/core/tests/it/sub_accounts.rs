//! Sub-accounts and suspension.

use proptest::prelude::*;
use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{
    FeatureSettings, InitialState, NewOrganization, NewSubAccount, Organization, OrganizationStatus,
    SubAccountChange, SubAccountError, SubAccountFacts, SubAccountStatus, account_website, create,
    create_sub_account, sub_account_status, sub_account_website, suspend, unsuspend, update_sub_account,
};
use tenantry_core::values::{Slug, SuspensionReason, Website};
use uuid::Uuid;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn parent() -> Organization {
    let new = NewOrganization {
        name: "Acme".parse().unwrap(),
        slug: "acme".parse().unwrap(),
        change: Default::default(),
    };
    let initial = InitialState::for_operator(FeatureSettings::default());
    create(new, initial, OrganizationId::new(Uuid::from_u128(1)), UserId::new(Uuid::from_u128(2)), at(1))
        .unwrap()
}

fn new(website: &str) -> NewSubAccount {
    NewSubAccount {
        name: "Child".parse().unwrap(),
        website: Website::parse(website).unwrap(),
        monthly_credit: 7,
    }
}

fn made(parent: &Organization, count: i64) -> Result<Organization, SubAccountError> {
    let facts = SubAccountFacts { parent: parent.clone(), count, limit: 3 };
    let id = OrganizationId::new(Uuid::from_u128(3));
    create_sub_account(facts, new("child.example"), Slug::derive("Child", [1; 6]), id, at(2))
}

fn reason(text: &str) -> SuspensionReason {
    SuspensionReason::parse(text).unwrap()
}

#[test]
fn a_sub_account_has_its_parents_owner_and_no_sub_accounts() {
    let parent = parent();
    let child = made(&parent, 2).unwrap();
    assert_eq!((child.parent, child.owner), (Some(parent.id), parent.owner));
    assert_eq!(child.profile.account.monthly_credit, 7);
    assert_eq!(made(&child, 0), Err(SubAccountError::Nested));
    assert_eq!(made(&parent, 3), Err(SubAccountError::LimitReached(3)));
    // A sub-account has the review status of its parent.
    let unreviewed = Organization { status: OrganizationStatus::Created, ..parent };
    assert_eq!(made(&unreviewed, 0).unwrap().status, OrganizationStatus::Created);
}

#[test]
fn an_update_without_a_change_is_refused() {
    let child = made(&parent(), 0).unwrap();
    let update = |change| update_sub_account(&child, change, at(9));
    assert_eq!(update(SubAccountChange::default()), Err(SubAccountError::NoFieldGiven));
    let same = SubAccountChange {
        name: Some(child.name.clone()),
        website: Website::parse(" child.example ").ok(),
        monthly_credit: Some(7),
    };
    assert_eq!(update(same.clone()), Err(SubAccountError::NoChange));
    let after = update(SubAccountChange { monthly_credit: Some(0), ..same }).unwrap();
    assert_eq!((after.modified_at, after.profile.account.monthly_credit), (Some(at(9)), 0));
    // The same URL in another spelling is shown in the new spelling.
    let url =
        SubAccountChange { website: Website::parse("https://child.example").ok(), ..Default::default() };
    assert_eq!(sub_account_website(&update(url).unwrap()), "https://child.example");
}

#[test]
fn a_website_is_shown_as_sent_while_it_means_the_same_url() {
    let mut child = made(&parent(), 0).unwrap();
    assert_eq!(sub_account_website(&child), "child.example");
    child.profile.website = Some("https://other.example".parse().unwrap());
    assert_eq!(sub_account_website(&child), "https://other.example/");
    child.profile.website = Some(format!("https://other.example/{}", "a".repeat(300)).parse().unwrap());
    assert_eq!(sub_account_website(&child), "other.example");
    child.profile.website = None;
    assert_eq!(sub_account_website(&child), "");
    child.profile.website = Some("https://child.example/".parse().unwrap());
    assert_eq!(sub_account_website(&child), "child.example");
    // An account's website is shown as a URL, even if a host name was sent.
    assert_eq!(account_website(&child), "https://child.example/");
    for (sent, url) in
        [("https://Go.example", "https://go.example/"), ("http://127.0.0.1", "http://127.0.0.1/")]
    {
        child.profile.website = Some(url.parse().unwrap());
        child.profile.account.website_as_sent = Some(sent.to_owned());
        assert_eq!((account_website(&child), sub_account_website(&child)), (sent, sent));
    }
}

#[test]
fn a_second_suspension_changes_nothing_until_the_first_ends() {
    let child = made(&parent(), 0).unwrap();
    let suspended = suspend(&child, reason(" late "), at(5));
    assert_eq!(suspended.suspended.as_ref().unwrap().reason.as_str(), "late");
    assert!(!suspended.is_open() && child.is_open());
    assert_eq!(suspend(&suspended, reason("other"), at(6)), suspended);
    assert_eq!(unsuspend(&child, at(6)), child);
    assert_eq!(unsuspend(&suspended, at(6)), Organization { modified_at: Some(at(6)), ..child });
    for bad in ["", "  ", "a\0b", &"x".repeat(501)] {
        assert!(SuspensionReason::parse(bad).is_err(), "{bad}");
    }
    assert!(SuspensionReason::parse(&"é".repeat(500)).is_ok());
}

#[test]
fn a_sub_accounts_own_suspension_precedes_its_parents() {
    let parent = parent();
    let child = made(&parent, 0).unwrap();
    let shut = |organization: &Organization| suspend(organization, reason("x"), at(5));
    let blocked = Organization { status: OrganizationStatus::Blocked, ..parent.clone() };
    for (child, parent, status) in [
        (child.clone(), parent.clone(), SubAccountStatus::Active),
        (child.clone(), shut(&parent), SubAccountStatus::ParentSuspended),
        (child.clone(), blocked, SubAccountStatus::ParentSuspended),
        (shut(&child), shut(&parent), SubAccountStatus::Suspended),
        (shut(&child), parent, SubAccountStatus::Suspended),
    ] {
        assert_eq!(sub_account_status(&child, &parent), status);
    }
}

#[test]
fn an_image_without_a_suspension_is_readable() {
    let child = made(&parent(), 0).unwrap();
    let image = serde_json::to_value(&child).unwrap();
    assert!(image.get("suspended").is_none());
    assert_eq!(serde_json::from_value::<Organization>(image).unwrap(), child);
    let suspended = suspend(&child, reason("late"), at(5));
    let image = serde_json::to_string(&suspended).unwrap();
    assert_eq!(serde_json::from_str::<Organization>(&image).unwrap(), suspended);
}

proptest! {
    #[test]
    fn an_absent_field_keeps_its_value(credit in prop::option::of(0_i64..9), name in prop::option::of("[a-c]")) {
        let child = made(&parent(), 0).unwrap();
        let name = name.map(|name| name.parse().unwrap());
        let change = SubAccountChange { name: name.clone(), website: None, monthly_credit: credit };
        if let Ok(after) = update_sub_account(&child, change, at(9)) {
            let mut expected = child;
            expected.name = name.unwrap_or(expected.name);
            expected.profile.account.monthly_credit = credit.unwrap_or(7);
            expected.modified_at = Some(at(9));
            prop_assert_eq!(after, expected);
        }
    }
}
