//! The table of customers, as exports show it and imports read it (docs/contracts/polar/customers.md, 5.6).

use super::Customer;
use crate::values::{Address, EmailAddress, TaxId};

impl Customer {
    /// The names of the columns.
    pub const COLUMNS: &'static [&'static str] = &[
        "ID",
        "External ID",
        "Created At",
        "Email",
        "Name",
        "Tax ID",
        "Billing Address Line 1",
        "Billing Address Line 2",
        "Billing Address City",
        "Billing Address State",
        "Billing Address Zip",
        "Billing Address Country",
        "Metadata",
    ];

    /// The values of the columns.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let metadata = match self.metadata.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&self.metadata).unwrap_or_default(),
        };
        let address = self.billing_address.as_ref();
        let part = |part: fn(&Address) -> Option<&str>| text(address.and_then(part));
        vec![
            self.id.to_string(),
            text(self.external_id.as_ref().map(|id| id.as_str())),
            // The original writes the zone as an offset.
            self.created_at.to_string().replace('Z', "+00:00"),
            text(self.email.as_ref().map(EmailAddress::as_str)),
            text(self.name.as_ref().map(|name| name.as_str())),
            text(self.tax_id.as_ref().map(TaxId::value)),
            part(Address::line1),
            part(Address::line2),
            part(Address::city),
            part(Address::state),
            part(Address::postal_code),
            text(address.map(|address| address.country().as_str())),
            metadata,
        ]
    }
}
