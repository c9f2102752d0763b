//! Refusals of use cases, as the person who sent a form reads them.

use tenantry_app::{Error, LimitReached};
use tenantry_core::customer::{CustomerError, CustomerViolation, RestoreObstacle};
use tenantry_core::invitation::InvitationError;
use tenantry_core::member::MemberError;
use tenantry_core::organization::{DeletionError, OrganizationViolation};
use tenantry_core::portal::PortalError;
use tenantry_core::team::TeamError;
use tenantry_core::token::TokenError;
use tenantry_core::webhook::WebhookError;

use crate::screen::Fault;
use crate::texts::Texts;
use crate::view::filled;

/// The faults that an error names. `None` when it says nothing that the person could change, such as a missing right.
pub(crate) fn of(t: &'static Texts, error: &Error) -> Option<Vec<Fault>> {
    let f = &t.faults;
    let fault = |field, message: &str| Some(vec![Fault::new(field, message)]);
    match error {
        Error::Customer(CustomerError::Invalid(violations)) => {
            Some(violations.iter().map(|violation| customer(t, violation)).collect())
        }
        Error::Customer(CustomerError::NotRestorable(obstacles)) => fault("", obstacle(t, obstacles.first())),
        Error::Member(error) => member(t, error),
        Error::Team(error) => team(t, *error),
        Error::Token(error) => Some(vec![token(t, error)]),
        Error::Webhook(error) => webhook(t, error),
        Error::LimitReached(limit) => fault("", &limit_reached(t, limit)),
        Error::OrganizationInvalid(violations) => {
            Some(violations.iter().map(|violation| organization(t, violation)).collect())
        }
        Error::Deletion(DeletionError::HasSubAccounts(..)) => fault("confirm", f.has_sub_accounts),
        Error::Deletion(DeletionError::ParentDeleted) => fault("", f.parent_deleted),
        Error::Deletion(DeletionError::Purged) => fault("", f.purged),
        Error::Portal(error) => portal(t, error),
        Error::Invitation(error) => invitation(t, error),
        Error::OwnerSuspended => fault("", f.owner_suspended),
        Error::WebhookBytes { .. } | Error::StoredBytes { .. } => fault("", f.webhook_bytes),
        _ => None,
    }
}

fn customer(t: &'static Texts, violation: &CustomerViolation) -> Fault {
    let f = &t.faults;
    match violation {
        CustomerViolation::EmailTaken(_) => Fault::new("email", f.customer_email_taken),
        CustomerViolation::ExternalIdTaken(_) => Fault::new("external_id", f.external_id_taken),
        CustomerViolation::OwnerNeedsEmail => Fault::new("email", f.email),
        CustomerViolation::ExternalIdImmutable(_) => Fault::new("external_id", f.external_id_fixed),
        CustomerViolation::TeamCannotBecomeIndividual(_) => Fault::new("kind", f.team_stays),
        CustomerViolation::BillingAddressRequired
        | CustomerViolation::TaxIdNeedsCountry
        | CustomerViolation::TaxIdInvalid(_) => Fault::new("", f.tax_id),
    }
}

fn invitation(t: &'static Texts, error: &InvitationError) -> Option<Vec<Fault>> {
    let words = &t.invitations;
    let (field, message) = match error {
        InvitationError::NotFound => return None,
        InvitationError::OwnerRole => ("role", t.faults.choice),
        InvitationError::LifetimeTooLong => ("expires_in", words.too_long),
        InvitationError::AlreadyMember => ("", t.faults.already_member),
        InvitationError::OtherPending(_) => ("", words.other_role),
        InvitationError::TooManyPending(most) => {
            return Some(vec![Fault::new("", &filled(words.too_many_pending, &most.to_string()))]);
        }
        InvitationError::TooMany { .. } => ("", words.too_many),
        InvitationError::TooManyMails { .. } => ("", words.too_many_mails),
        InvitationError::SentJustNow { .. } => ("", words.sent_just_now),
        InvitationError::SentTooOften => ("", words.sent_too_often),
        InvitationError::Settled(_) => ("", words.settled),
        InvitationError::Expired => ("", words.gate_expired),
        InvitationError::AddressUnproved => ("", words.unproved),
        InvitationError::OtherAddress(_) => ("", words.other_address),
        InvitationError::Suspended => ("", words.suspended),
    };
    Some(vec![Fault::new(field, message)])
}

const fn obstacle(t: &'static Texts, obstacle: Option<&RestoreObstacle>) -> &'static str {
    match obstacle {
        Some(RestoreObstacle::EmailTaken(_)) => t.faults.customer_email_taken,
        Some(RestoreObstacle::ExternalIdTaken(_)) => t.faults.external_id_taken,
        Some(RestoreObstacle::BeingAnonymized) | None => t.faults.forgotten,
    }
}

fn member(t: &'static Texts, error: &MemberError) -> Option<Vec<Fault>> {
    let f = &t.faults;
    let (field, message) = match error {
        MemberError::CustomerNotFound | MemberError::NotFound => return None,
        MemberError::Disabled => ("", f.members_disabled),
        MemberError::IndividualHasOneMember => ("", f.individual),
        MemberError::ExternalIdTaken(_) => ("external_id", f.external_id_taken),
        MemberError::EmailTaken(_) => ("email", f.member_email_taken),
        MemberError::EmailFollowsCustomer(_) => ("email", f.email_follows),
        MemberError::OwnerRequired(_) => ("role", f.owner_required),
        MemberError::CannotRemoveOwner(_) => ("confirm", f.owner_required),
    };
    Some(vec![Fault::new(field, message)])
}

fn portal(t: &'static Texts, error: &PortalError) -> Option<Vec<Fault>> {
    let words = &t.portal_pages;
    let (field, message) = match error {
        PortalError::MemberRequired | PortalError::MemberUnknown(_) => ("member", t.faults.member_required),
        PortalError::OwnerExists => ("role", t.faults.choice),
        PortalError::CannotChangeOwnRole(_) => ("", words.own_role),
        PortalError::CannotRemoveSelf(_) => ("confirm", words.own_removal),
        PortalError::OnlyOwnerTransfers => ("", words.only_owner),
        PortalError::TeamEmailFixed(_) => ("email", words.email_team),
        PortalError::EmailUnchanged(_) => ("email", words.email_same),
        PortalError::EmailUpdateInvalid => ("", words.email_over),
        PortalError::EmailTaken => ("email", words.email_taken),
        _ => return None,
    };
    Some(vec![Fault::new(field, message)])
}

fn team(t: &'static Texts, error: TeamError) -> Option<Vec<Fault>> {
    let f = &t.faults;
    let (field, message) = match error {
        TeamError::OrganizationNotFound | TeamError::NotFound => return None,
        TeamError::AlreadyMember => ("email", f.already_member),
        TeamError::CannotRemoveOwner | TeamError::OwnerRoleFixed => ("role", f.team_owner),
        TeamError::OwnerCannotLeave => ("confirm", f.owner_cannot_leave),
        TeamError::CannotRemoveSelf => ("confirm", f.cannot_remove_self),
        TeamError::OnlyMember | TeamError::LastManager => ("role", f.last_manager),
        TeamError::AlreadyOwner => ("to", f.already_owner),
        TeamError::NotOffered => ("", f.not_offered),
        TeamError::InvitationRequired => ("", t.invitations.only_invitation),
    };
    Some(vec![Fault::new(field, message)])
}

fn token(t: &'static Texts, error: &TokenError) -> Fault {
    let f = &t.faults;
    match error {
        TokenError::ScopesExceed(_) => Fault::new("scope", f.scopes_exceed),
        TokenError::TargetExceeds(_) => Fault::new("", f.scopes_exceed),
        TokenError::NetworksExceed | TokenError::ExcludesCaller => Fault::new("networks", f.networks),
        TokenError::Expired => Fault::new("", f.token_expired),
        TokenError::ExpiryExceeds => Fault::new("expires_in", f.expiry_exceeds),
        TokenError::NoFieldGiven | TokenError::NoChange => Fault::new("", f.no_change),
    }
}

fn webhook(t: &'static Texts, error: &WebhookError) -> Option<Vec<Fault>> {
    let f = &t.faults;
    let (field, message) = match error {
        WebhookError::NotFound | WebhookError::EventNotFound => return None,
        WebhookError::LimitReached(most) => ("", filled(f.endpoints, &most.to_string())),
        WebhookError::CredentialsMasked => ("url", f.masked.to_owned()),
        WebhookError::Disabled => ("", f.endpoint_off.to_owned()),
        WebhookError::UrlInvalid => ("url", f.url_not_allowed.to_owned()),
    };
    Some(vec![Fault::new(field, &message)])
}

fn limit_reached(t: &'static Texts, limit: &LimitReached) -> String {
    let f = &t.faults;
    match limit {
        LimitReached::TeamMembers(most) => filled(f.team_members, &most.to_string()),
        LimitReached::Organizations => f.organizations.to_owned(),
        LimitReached::OrganizationsOfOwner(most) => filled(f.organizations_of_owner, &most.to_string()),
        LimitReached::AccessTokens(most) => filled(f.access_tokens, &most.to_string()),
        LimitReached::Sessions(most) => filled(f.sessions, &most.to_string()),
        LimitReached::Passkeys(most) => filled(f.passkeys, &most.to_string()),
    }
}

fn organization(t: &'static Texts, violation: &OrganizationViolation) -> Fault {
    match violation {
        OrganizationViolation::SlugTaken(_) => Fault::new("slug", t.faults.slug_taken),
        OrganizationViolation::SeatsCannotBeDisabled
        | OrganizationViolation::SeatsNeedMembers
        | OrganizationViolation::ResetNotEnabled
        | OrganizationViolation::LimitNeedsTotal
        | OrganizationViolation::LimitAboveTotal
        | OrganizationViolation::DisputeAutoAcceptNotEnabled
        | OrganizationViolation::SsoNotVerified => Fault::new("", t.faults.setting),
    }
}
