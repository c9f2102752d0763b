//! Query parameters of the audit log.

use serde_json::{Value, json};
use tenantry_app::limits::{AUDIT_DAYS_LEAST, AUDIT_DAYS_MOST};
use tenantry_core::values::one_of;
use tenantry_store::AuditFilter;

use crate::api::input::Input;
use crate::polar::export::Form;
use crate::polar::webhooks::wire::ZonedTimestamp;
use crate::wire::{Between, Strict, Uuid4, Validation, Wire, choice, inline_schema, wire_object};

/// Bytes of the name of an action.
pub(super) const ACTION_BYTES: usize = 64;

/// The name of an action: a noun and a past participle.
struct ActionName(String);

impl Wire for ActionName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= ACTION_BYTES
                && text.bytes().all(|letter| letter.is_ascii_lowercase() || b"._".contains(&letter))
        };
        if is_name(&text) {
            return Some(Self(text));
        }
        let msg = "Input should be the name of an action, such as customer.updated";
        at.violate("value_error", msg, value, None);
        None
    }
}

wire_object! {
    /// The days for which an organization keeps its audit log.
    RetentionBody {
        /// Days for which the organization keeps an entry, from 30 to the `server_days`. `null`: as long as the server
        /// does.
        days: RetentionDays,
    }
}

/// A number of days, or null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetentionDays(pub(super) Option<u32>);

impl Wire for RetentionDays {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        if value.is_null() {
            return Some(Self(None));
        }
        let Strict(Between(days)) =
            Strict::<Between<{ AUDIT_DAYS_LEAST }, { AUDIT_DAYS_MOST }>>::read(value, at)?;
        u32::try_from(days).ok().map(|days| Self(Some(days)))
    }
}

inline_schema!(
    RetentionDays => {"type": ["integer", "null"], "minimum": AUDIT_DAYS_LEAST, "maximum": AUDIT_DAYS_MOST},
);

/// Checks the days against those of the operator.
pub(super) fn check_days(input: &mut Input<'_>, days: Option<u32>) {
    let (Some(days), app) = (days, &input.call.app) else { return };
    let most = *app.audit_days_bounds().end();
    if app.audit_days_of(days).is_none() {
        input.at.within("body", |at| {
            at.within("days", |at| {
                let msg = format!("Input should be less than or equal to {most}");
                at.violate("less_than_equal", msg, &Value::from(days), Some(json!({"le": most})));
            });
        });
    }
}

/// The form of an export.
pub(super) struct FormName(pub(super) Form);

impl Wire for FormName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let from_name = |name: &str| match name {
            "jsonl" => Some(Form::JsonLines),
            "csv" => Some(Form::Csv),
            _ => None,
        };
        choice("enum", &["jsonl", "csv"], from_name, value, at).map(Self)
    }
}

/// Reads the filters of a request.
pub(super) fn filter(input: &mut Input<'_>) -> Option<AuditFilter> {
    let actor = input.query::<Uuid4>("actor_id");
    let subject = input.query::<Uuid4>("subject_id");
    let action = input.query::<ActionName>("action");
    let from = input.query::<ZonedTimestamp>("start_timestamp");
    let before = input.query::<ZonedTimestamp>("end_timestamp");
    Some(AuditFilter {
        actor: actor?.map(|id| id.0),
        subject: subject?.map(|id| id.0),
        action: action?.map(|name| name.0),
        from: from?.map(|at| at.0),
        before: before?.map(|at| at.0),
    })
}

/// Reports a cursor that is not one of the list.
pub(super) fn refuse_cursor(input: &mut Input<'_>, name: &'static str, text: &str) {
    input.at.within("query", |at| {
        at.within(name, |at| {
            let msg = "Input should be a cursor of this list";
            at.violate("value_error", msg, &Value::from(text), None);
        });
    });
}

/// Reports that a request has both cursors.
pub(super) fn refuse_both(input: &mut Input<'_>, text: &str) {
    input.at.within("query", |at| {
        at.within("before", |at| {
            let expected = one_of(&["after", "before"]);
            let msg = format!("Only one of {expected} can be set");
            at.violate("value_error", msg, &Value::from(text), Some(json!({"expected": expected})));
        });
    });
}
