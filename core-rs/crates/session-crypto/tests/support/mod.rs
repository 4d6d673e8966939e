//! Reads the vector files, which the Python tests read too.

use serde::de::DeserializeOwned;

/// The file of a name without suffix.
pub fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = format!(
        "{}/../../../tests/vectors/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Bytes from hexadecimal digits.
pub fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}
