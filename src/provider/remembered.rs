//! What a resource remembers beside its state, in the private bytes that Terraform keeps for it.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) trait Remembered: Serialize + DeserializeOwned + Default {
    /// Nothing is remembered of what is new.
    fn decode(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("names and flags serialise")
    }
}
