//! The texts of the console, one struct for each language. A text that a language lacks does not compile.
//!
//! `{}` stands for a value, which [`filled`](crate::view::filled) puts in.

mod audit;
mod customers;
mod developers;
mod english;
mod german;
mod notices;
mod operator;
mod organization;
mod people;
mod portal;
mod screens;

pub(crate) use audit::AuditTexts;
pub(crate) use english::ENGLISH;
pub(crate) use german::GERMAN;

/// Declares the texts: a struct for each part of the console, and one with all parts.
macro_rules! texts {
    ($($part:ident: $name:ident { $($text:ident),* $(,)? })*) => {
        /// All texts of one language.
        pub(crate) struct Texts {
            /// The language's tag.
            pub(crate) language: &'static str,
            /// The character between groups of three digits.
            pub(crate) thousands: &'static str,
            $(pub(crate) $part: $name,)*
            pub(crate) screens: screens::Screens,
            pub(crate) done: screens::Done,
            pub(crate) faults: screens::Faults,
            pub(crate) customers: customers::Customers,
            pub(crate) members: customers::Members,
            pub(crate) tokens: developers::Tokens,
            pub(crate) webhooks: developers::Webhooks,
            pub(crate) deliveries: developers::Deliveries,
            pub(crate) people: people::People,
            pub(crate) offer: people::Offer,
            pub(crate) roles: people::Roles,
            pub(crate) invitations: people::Invitations,
            pub(crate) settings: organization::Settings,
            pub(crate) portal: portal::Portal,
            pub(crate) portal_pages: portal::PortalPages,
            pub(crate) portal_setup: portal::PortalSetup,
            pub(crate) new_organization: organization::NewOrganization,
            pub(crate) deleted: organization::Deleted,
            pub(crate) audit: AuditTexts,
            pub(crate) operator: operator::Operator,
            pub(crate) health: operator::Health,
            pub(crate) notices: notices::Notices,
        }
        $(pub(crate) struct $name {
            $(pub(crate) $text: &'static str,)*
        })*
    };
}

/// Declares a part of the texts, each in English and then in German.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($text:ident: $english:literal, $german:literal;)* }) => {
        $(#[$doc])*
        pub(crate) struct $name {
            $(pub(crate) $text: &'static str,)*
        }

        impl $name {
            pub(super) const ENGLISH: Self = Self { $($text: $english,)* };
            pub(super) const GERMAN: Self = Self { $($text: $german,)* };
        }
    };
}
use words;

texts! {
    ui: UiTexts {
        skip, copy, copied, errors, pages, previous, next, as_call, as_command, filter, clear, nothing_found,
        code_in_log, mail_in_log,
    }
    rail: RailTexts {
        menu, sections, switch, all_organizations, account, personal, person, sign_out,
    }
    nav: NavTexts {
        overview, team, organizations, sessions, passkeys, profile,
    }
    sign_in: SignInTexts {
        title, lead, address, send, invalid, signed_out, please,
    }
    code: CodeTexts {
        title, lead, label, submit, nothing, again, wrong, over,
    }
    claim: ClaimTexts {
        title, lead, token, token_hint, organization, organization_hint, name, email, email_hint,
        name_missing, submit, over, sign_in,
    }
    passkey_sign_in: PasskeySignInTexts {
        passkey, or, recovery, refused, unavailable, canceled,
    }
    recovery: RecoveryTexts {
        title, lead, label, hint, submit, other, wrong,
    }
    step_up: StepUpTexts {
        title, lead, kept, passkey, no_script, elsewhere, lost, code, enter, enter_lead, submit, again, other, cancel,
    }
    passkeys: PasskeysTexts {
        title, lead, add, rename, remove, none, none_text, no_script, unavailable, actions, added, never_used,
        refused, name, name_missing, save, remove_title, remove_lead, remove_last, cancel, recovery,
        recovery_left, new_codes,
    }
    profile: ProfileTexts {
        title, lead, name, name_hint, language, save, saved, address, address_lead, proved, change, delete, delete_text,
        delete_button,
    }
    address: AddressTexts {
        title, lead, label, send, code_title, code_lead, submit, cancel,
    }
    self_deletion: SelfDeletionTexts {
        title, lead, teams, audit, confirm, wrong, button, owns, deleted, deleted_text,
    }
    recovery_codes: RecoveryCodesTexts {
        title, lead, stored,
    }
    passkey_rule: PasskeyRuleTexts {
        title, lead, is_on, is_off, turn_on, turn_off, needs_passkey, hidden, show_hidden, change,
    }
    recover: RecoverTexts {
        title, lead, token, submit, over,
    }
    problem: ProblemTexts {
        request, not_found, not_found_text, not_allowed, not_allowed_text, failed, failed_text, foreign,
        foreign_text, home,
    }
    overview: OverviewTexts {
        identity, identity_lead, id, slug, created, people, customers, tokens, steps, steps_lead, done,
        passkey, passkey_text, invite, invite_text, token, token_text, customer, customer_text, off, off_text,
    }
    team: TeamTexts {
        title, lead, search, role, any_role, person, since, you, nothing_found, one_person, people,
    }
    role: RoleTexts {
        owner, administrator, developer, analyst, billing_manager,
    }
    organizations: OrganizationsTexts {
        organization, created, one, many,
    }
    sessions: SessionsTexts {
        title, lead, end, end_others, unknown, this,
    }
    my_organizations: MyOrganizationsTexts {
        title, lead, role, none, none_text, search, nothing_found,
    }
    time: TimeTexts {
        now, one_minute, minutes, one_hour, hours, yesterday, days, in_days, in_hours, in_minutes,
        day, months,
    }
}
