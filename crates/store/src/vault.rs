//! Encryption of the secrets that the database holds.

/// Encrypts secrets that must be readable again. The database alone, without the installation's key, does not
/// reveal them.
pub trait Vault: Send + Sync {
    /// Encrypts `text` and binds it to `context`. Nothing when the vault cannot encrypt.
    fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>>;

    /// Decrypts what was sealed for `context`. Nothing when it was sealed for another one, or changed.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;
}
