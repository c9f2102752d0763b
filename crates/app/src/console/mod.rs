//! The console: signing in, sessions, proofs of a person, and the first entry.
//!
//! | step | effect |
//! |---|---|
//! | somebody enters an address | a row of `sign_ins` for the browser; a mail, if the address is that of a person with an organization, or an invitation waits for it |
//! | the code of the mail is entered in this browser | the address is proved, and a session begins |
//! | a passkey answers, or a recovery code is entered | a session begins, if the person has proved the address before |
//! | a request with the session's secret | the requester is the person, as with the person's own token |
//! | the person proves to be themselves in the session | the session gets a new secret, and its proof is fresh |
//!
//! The operator can make a row of `sign_ins` whose secret needs no code.
//!
//! Use cases that could take an account away call [`Requester::check_proof`](crate::Requester::check_proof).
//!
//! An unknown address gets the same answers. Nothing that a link in a mail opens uses anything up.

mod account;
pub(crate) mod codes;
mod first_entry;
mod known_browsers;
mod passkey_rule;
mod passkeys;
mod recovery_codes;
mod relying_party;
mod sessions;
mod sign_in;
mod step_up;
mod webauthn;

pub use account::{
    AddressChangeComplete, AddressChangeOutcome, AddressChangeRequest, NoticesUpdate, ProfileUpdate,
};
pub(crate) use first_entry::offer as offer_first_entry;
pub use first_entry::{FirstEntry, FirstEntryClaim};
pub use passkey_rule::PasskeyRuleSet;
pub use passkeys::{
    AddedPasskey, BegunCeremony, CeremonyAnswer, CeremonyBegin, PasskeyAdd, PasskeyRemove, PasskeyRename,
    PasskeySignIn, PasskeyStepUp,
};
pub use recovery_codes::{RecoveryCodeSignIn, RecoveryCodeStepUp, RecoveryCodesCreate};
pub use relying_party::RelyingPartyChange;
pub(crate) use sessions::DeleteExpired;
pub use sessions::{ConsoleSessionEnd, OrganizationNumbers};
pub use sign_in::{NewSession, SignInComplete, SignInOutcome, SignInRequest, UserRecover};
pub use step_up::{StepUpComplete, StepUpOutcome, StepUpRequest};
pub use webauthn::RelyingParty;
