//! BER-TLV: every byte string is read or refused, and what was read is written the same.
#![no_main]

use wire::tlv::{Tlv, decode, encode};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&depth, data)) = data.split_first() else {
        return;
    };
    match decode(data, depth.into()) {
        Ok(objects) => objects
            .iter()
            .for_each(|object| check(object, depth.into())),
        Err(error) => assert!(error.offset <= data.len()),
    }
});

fn check(object: &Tlv<'_>, depth: usize) {
    assert!(depth > 0);
    // A tag may be longer than it has to be; such a one is not written
    if let Ok(written) = encode(object.tag, object.value) {
        // Inside of another, where no first byte of a tag is taken for padding
        let outer = encode(0x30, &written).unwrap();
        let again = decode(&outer, depth + 1).unwrap();
        assert_eq!(again[0].children, std::slice::from_ref(object));
    }
    for child in &object.children {
        check(child, depth - 1);
    }
}
