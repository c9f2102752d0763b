//! The ceremonies of passkeys (W3C Web Authentication Level 3), as the library `webauthn-rs` carries them out:
//! discoverable credentials, with verification of the person, without attestation.
//!
//! The rest of the program knows JSON texts alone: the options for the browser, the state that the database keeps between
//! the two requests of a ceremony, the browser's answer, and the stored credential. What this module adds to the library:
//!
//! | addition | reason |
//! |---|---|
//! | the authenticator must keep the passkey itself | a sign-in asks for no address |
//! | no `mediation` | a button asks at once; the library means the list below an input field |
//! | no answer from a frame of another origin | the library refuses it for new passkeys alone |
//! | a limit for the stored form | an authenticator could send certificates, which were not asked for |

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tenantry_core::ids::UserId;
use tenantry_core::passkey::CEREMONY_S;
use tenantry_store::StoreError;
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, WebauthnBuilder, WebauthnResult,
};

use crate::Error;

/// The name that authenticators show.
const NAME: &str = "Tenantry";
/// The longest stored form of a credential in bytes. With the longest id and key it has about 2,500.
const CREDENTIAL_BYTES: usize = 8 << 10;

/// The server as browsers and authenticators know it. A passkey works for one relying party alone, and a browser offers it
/// to no page of another host.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    id: String,
    webauthn: Webauthn,
}

/// A challenge.
pub(crate) struct Challenge {
    /// The options for the browser.
    pub(crate) options: String,
    /// The input of the check of the answer. It is no secret, but must not come back from the browser.
    pub(crate) state: String,
}

/// A credential that an authenticator has made.
pub(crate) struct NewCredential {
    pub(crate) id: Vec<u8>,
    /// The stored form.
    pub(crate) credential: String,
}

/// The browser's answer to a challenge for an existing passkey, before its check.
pub(crate) struct Assertion {
    answer: PublicKeyCredential,
    /// The person that it names.
    pub(crate) user: UserId,
    /// The authenticator's id of the passkey that it names.
    pub(crate) credential_id: Vec<u8>,
}

/// The part of the client data that says in which frame the page was.
#[derive(Deserialize)]
struct Frame {
    #[serde(default, rename = "crossOrigin")]
    is_cross_origin: Option<bool>,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<Value>,
}

impl RelyingParty {
    /// The relying party at this address, whose id is the host name. `None` where browsers have no passkeys: at an IP
    /// address, and over plain HTTP to another machine.
    #[must_use]
    pub fn new(public_url: &str) -> Option<Self> {
        let url = Url::parse(public_url).ok()?;
        let id = url.domain()?.to_owned();
        let is_here = id == "localhost" || id.ends_with(".localhost");
        let is_secure = url.scheme() == "https" || url.scheme() == "http" && is_here;
        if !is_secure {
            return None;
        }
        let timeout = Duration::from_secs(CEREMONY_S.unsigned_abs());
        let webauthn = WebauthnBuilder::new(&id, &url).ok()?.rp_name(NAME).timeout(timeout).build().ok()?;
        Some(Self { id, webauthn })
    }

    /// The id: a host name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A challenge for a new passkey of a person. Authenticators with one of the `known` credentials make none.
    pub(crate) fn begin_registration(
        &self,
        user: UserId,
        (address, name): (&str, &str),
        known: Vec<Vec<u8>>,
    ) -> Result<Challenge, Error> {
        let begun = self.webauthn.start_passkey_registration(user.uuid(), address, name, Some(known));
        let (mut options, state) = begun_ceremony(begun)?;
        if let Some(selection) = &mut options.public_key.authenticator_selection {
            selection.resident_key = serde_json::from_value(json!("required"))?;
            selection.require_resident_key = true;
        }
        Ok(Challenge { options: serde_json::to_string(&options)?, state: serde_json::to_string(&state)? })
    }

    /// The credential of an answer. `None` if the answer is not valid.
    pub(crate) fn finish_registration(
        &self,
        state: &str,
        answer: &str,
    ) -> Result<Option<NewCredential>, Error> {
        let state: PasskeyRegistration = serde_json::from_str(state)?;
        let Ok(answer) = serde_json::from_str::<RegisterPublicKeyCredential>(answer) else { return Ok(None) };
        if is_framed(&answer.response.client_data_json) {
            return Ok(None);
        }
        let Ok(passkey) = self.webauthn.finish_passkey_registration(&answer, &state) else { return Ok(None) };
        let id = passkey.cred_id().to_vec();
        let credential = serde_json::to_string(&passkey)?;
        let is_sound =
            !id.is_empty() && id == answer.raw_id.as_slice() && credential.len() <= CREDENTIAL_BYTES;
        Ok(is_sound.then_some(NewCredential { id, credential }))
    }

    /// A challenge for a passkey of anybody.
    pub(crate) fn begin_authentication(&self) -> Result<Challenge, Error> {
        let (mut options, state) = begun_ceremony(self.webauthn.start_discoverable_authentication())?;
        options.mediation = None;
        Ok(Challenge { options: serde_json::to_string(&options)?, state: serde_json::to_string(&state)? })
    }

    /// The claim of an answer. `None` if it is not readable.
    pub(crate) fn read_assertion(&self, answer: &str) -> Option<Assertion> {
        let answer: PublicKeyCredential = serde_json::from_str(answer).ok()?;
        let (user, id) = self.webauthn.identify_discoverable_authentication(&answer).ok()?;
        let (user, credential_id) = (UserId::new(user), id.to_vec());
        Some(Assertion { answer, user, credential_id })
    }

    /// The stored form of the credential after an answer, which differs where the authenticator counts. `None` if the
    /// answer is not valid.
    pub(crate) fn finish_authentication(
        &self,
        state: &str,
        assertion: &Assertion,
        credential: &str,
    ) -> Result<Option<String>, Error> {
        let state: DiscoverableAuthentication = serde_json::from_str(state)?;
        let mut passkey: Passkey = serde_json::from_str(credential)?;
        let Assertion { answer, .. } = assertion;
        if is_framed(&answer.response.client_data_json) {
            return Ok(None);
        }
        let checked = self.webauthn.finish_discoverable_authentication_v2(answer, state, &passkey);
        let Ok(result) = checked else { return Ok(None) };
        if passkey.update_credential(&result).is_none() {
            return Ok(None);
        }
        Ok(Some(serde_json::to_string(&passkey)?))
    }
}

/// Whether the page was in a frame of another origin, or the client data do not say it readably.
fn is_framed(client_data: &[u8]) -> bool {
    let frame = serde_json::from_slice::<Frame>(client_data);
    !frame.is_ok_and(|frame| frame.is_cross_origin != Some(true) && frame.top_origin.is_none())
}

/// A ceremony can begin whoever asks, so that a failure is the server's.
fn begun_ceremony<T>(begun: WebauthnResult<T>) -> Result<T, Error> {
    begun.map_err(|error| {
        StoreError::Unexpected(format!("a ceremony of a passkey did not begin: {error}")).into()
    })
}
