//! Types that hold keys cannot be printed, copied or compared; tags are compared in one place only.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::path::Path;

use session_crypto::chains::{self, Aes};
use session_crypto::cmac::Cmac;
use session_crypto::des::{self, Des, RetailMac};
use session_crypto::{Secret, milenage, scp02, scp03, scp80, tuak};

/// Whether a type has a trait: an inherent constant, which is there under the trait's condition only,
/// goes before the one that everything has.
macro_rules! has {
    ($type:ty, $trait:path) => {{
        struct Probe<T>(PhantomData<T>);
        #[allow(dead_code)] // used where the condition does not hold
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code)] // used where the condition holds
        impl<T: $trait> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

macro_rules! keeps_keys {
    ($($type:ty),* $(,)?) => {
        [$((
            stringify!($type),
            has!($type, Debug) || has!($type, Display) || has!($type, Clone) || has!($type, PartialEq),
        )),*]
    };
}

#[test]
fn what_holds_keys_is_not_printed_copied_or_compared() {
    // That the question can be answered with yes
    const { assert!(has!(u8, Debug) && has!(u8, Display) && has!(u8, Clone) && has!(u8, PartialEq)) };
    let kinds = keeps_keys![
        Secret,
        Aes,
        Cmac,
        Des,
        RetailMac,
        chains::Lanes,
        des::Blocks,
        des::Lanes,
        milenage::Milenage,
        milenage::AuthVector,
        tuak::Tuak,
        tuak::AuthVector,
        scp03::Host,
        scp03::Opening,
        scp03::Session,
        scp02::Host,
        scp02::Opening,
        scp02::Session,
        scp80::KeySet,
    ];
    for (name, shows) in kinds {
        assert!(!shows, "{name}");
    }
}

#[test]
fn codes_are_compared_in_constant_time_and_in_one_place() {
    let mut places = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    search(&source, &mut places);
    assert_eq!(places, [source.join("secret.rs")]);
}

fn search(folder: &Path, places: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, places);
        } else if std::fs::read_to_string(&path).unwrap().contains("ct_eq(") {
            places.push(path);
        }
    }
}
