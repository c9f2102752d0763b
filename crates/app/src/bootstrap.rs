//! The first start on an empty database: creates an organization to try the API with.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::{Customer, CustomerKind, NewCustomer};
use tenantry_core::organization::{
    FeatureSettings, InitialState, NewOrganization, Organization, OrganizationChange,
};
use tenantry_core::token::{AccessToken, Scopes};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_store::{Tx, UseCase};

use crate::customers::CustomerCreate;
use crate::organizations::{OrganizationCreate, OwnerRef};
use crate::tokens::{IssuedToken, TokenCreate};
use crate::{App, Error, HashKey, Requester, console};

/// Creates an organization with an owner, a team customer and a token with all scopes, unless there is an organization
/// already. The operator can take the organization over in the console.
#[derive(Clone)]
pub struct Bootstrap {
    /// The organization's name.
    pub name: OrganizationName,
    /// Its slug.
    pub slug: Slug,
    /// Its owner's address.
    pub owner_email: EmailAddress,
    /// The customer's address.
    pub customer_email: EmailAddress,
    /// The key that hashes the token's secret.
    pub hash_key: HashKey,
}

/// The rows that the first start created.
#[derive(Debug, Clone)]
pub struct Bootstrapped {
    /// The organization.
    pub organization: Organization,
    /// Its owner's address.
    pub owner_email: EmailAddress,
    /// Its customer.
    pub customer: Customer,
    /// Its token.
    pub issued: IssuedToken<AccessToken>,
}

impl UseCase for Bootstrap {
    type Output = Option<Bootstrapped>;
    type Error = Error;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<Bootstrapped>, Error> {
        if tx.any_organization().await? {
            return Ok(None);
        }
        let by = Requester::system();
        let organization = OrganizationCreate {
            by: by.clone(),
            owner: OwnerRef::Email(self.owner_email.clone()),
            new: NewOrganization {
                name: self.name.clone(),
                slug: self.slug.clone(),
                change: OrganizationChange::default(),
            },
            initial: InitialState::for_operator(FeatureSettings::for_new_organization()),
        };
        let organization = organization.run(tx, context).await?;
        let customer = CustomerCreate {
            by: by.clone(),
            organization: Some(organization.id),
            new: NewCustomer::new(CustomerKind::Team, self.customer_email.clone()),
        };
        let customer = customer.run(tx, context).await?;
        let token = TokenCreate {
            by,
            organization: organization.id,
            label: "first token".to_owned(),
            scopes: Scopes::everything(),
            expires_in_s: None,
            hash_key: self.hash_key.clone(),
        };
        let issued = token.run(tx, context).await?;
        console::offer_first_entry(tx, organization.id).await?;
        Ok(Some(Bootstrapped { organization, owner_email: self.owner_email.clone(), customer, issued }))
    }
}

impl App {
    /// Creates the rows of the first start. `None` if there is an organization, or if another node that starts at the
    /// same time is faster.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn bootstrap(&self, first: Bootstrap) -> Result<Option<Bootstrapped>, Error> {
        match self.write(first.clone()).await {
            // The other node has committed its slug by now, so that the second attempt finds its organization.
            Err(Error::OrganizationInvalid(_)) => self.write(first).await,
            outcome => outcome,
        }
    }
}
