//! The look of an organization's portal, and the sections that it has.

use serde::{Deserialize, Serialize};

use super::PortalError;
use crate::Patch;
use crate::organization::Organization;
use crate::values::{BrandColor, SenderName};

/// A part of the portal that an organization can switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortalSection {
    /// Signing in by a mailed code.
    SignIn,
    /// The change of the customer's billing details.
    BillingDetails,
    /// The list of the customer's members, and its changes.
    Team,
    /// The addition of members by the customer.
    AddMembers,
    /// The list of the person's sessions, and their end. Signing out needs no switch.
    Sessions,
}

/// The switches of the sections. The switch of the change of address is part of
/// [`CustomerPortalSettings`](crate::organization::CustomerPortalSettings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalSections {
    /// [`PortalSection::SignIn`].
    pub sign_in: bool,
    /// [`PortalSection::BillingDetails`].
    pub billing_details: bool,
    /// [`PortalSection::Team`].
    pub team: bool,
    /// [`PortalSection::AddMembers`]. Without the team it has no effect.
    pub add_members: bool,
    /// [`PortalSection::Sessions`].
    pub sessions: bool,
}

impl Default for PortalSections {
    fn default() -> Self {
        Self { sign_in: true, billing_details: true, team: true, add_members: true, sessions: true }
    }
}

impl PortalSections {
    /// Whether a section is switched on.
    #[must_use]
    pub const fn has(&self, section: PortalSection) -> bool {
        match section {
            PortalSection::SignIn => self.sign_in,
            PortalSection::BillingDetails => self.billing_details,
            PortalSection::Team => self.team,
            PortalSection::AddMembers => self.team && self.add_members,
            PortalSection::Sessions => self.sessions,
        }
    }
}

/// The look of the portal, and its sections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PortalSettings {
    /// The organization's colour.
    pub color: Option<BrandColor>,
    /// The name of the sender of mails to customers.
    pub sender_name: Option<SenderName>,
    /// The switches of the sections.
    pub sections: PortalSections,
}

/// A partial update of [`PortalSettings`]. An absent field keeps its value, and `null` clears a colour or name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortalSettingsChange {
    /// The organization's colour.
    pub color: Patch<BrandColor>,
    /// The name of the sender of mails to customers.
    pub sender_name: Patch<SenderName>,
    /// [`PortalSection::SignIn`].
    pub sign_in: Option<bool>,
    /// [`PortalSection::BillingDetails`].
    pub billing_details: Option<bool>,
    /// [`PortalSection::Team`].
    pub team: Option<bool>,
    /// [`PortalSection::AddMembers`].
    pub add_members: Option<bool>,
    /// [`PortalSection::Sessions`].
    pub sessions: Option<bool>,
}

impl PortalSettingsChange {
    /// Applies the change.
    pub fn apply(self, settings: &mut PortalSettings) {
        let Self { color, sender_name, sign_in, billing_details, team, add_members, sessions } = self;
        color.apply(&mut settings.color);
        sender_name.apply(&mut settings.sender_name);
        let sections = &mut settings.sections;
        let switches = [
            (&mut sections.sign_in, sign_in),
            (&mut sections.billing_details, billing_details),
            (&mut sections.team, team),
            (&mut sections.add_members, add_members),
            (&mut sections.sessions, sessions),
        ];
        for (switch, change) in switches {
            *switch = change.unwrap_or(*switch);
        }
    }
}

/// Checks that an organization has switched a section on.
///
/// # Errors
/// [`PortalError::SectionDisabled`].
pub fn check_section(organization: &Organization, section: PortalSection) -> Result<(), PortalError> {
    let sections = &organization.profile.portal.sections;
    if sections.has(section) { Ok(()) } else { Err(PortalError::SectionDisabled(section)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_switch_keeps_its_value_and_null_clears() {
        let mut settings = PortalSettings::default();
        let color = BrandColor::parse("#336699").unwrap();
        let change = PortalSettingsChange {
            color: Patch::Value(color.clone()),
            team: Some(false),
            ..PortalSettingsChange::default()
        };
        change.apply(&mut settings);
        assert_eq!(settings.color, Some(color));
        assert!(
            !settings.sections.has(PortalSection::Team) && !settings.sections.has(PortalSection::AddMembers)
        );
        assert!(settings.sections.add_members && settings.sections.has(PortalSection::Sessions));
        let change = PortalSettingsChange { color: Patch::Null, ..PortalSettingsChange::default() };
        change.apply(&mut settings);
        assert_eq!(settings.color, None);
        assert!(!settings.sections.team);
    }

    #[test]
    fn stored_settings_without_a_field_have_its_default() {
        let settings: PortalSettings = serde_json::from_str(r#"{"sections":{"team":false}}"#).unwrap();
        assert!(settings.sections.sign_in && !settings.sections.team);
        assert_eq!(serde_json::from_str::<PortalSettings>("{}").unwrap(), PortalSettings::default());
    }
}
