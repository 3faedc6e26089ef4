//! What a client calls the device that it runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use uuid::{Uuid, Variant};

use crate::error::InvalidValue;

/// The name that a client has made up for its device: a random UUID (RFC 9562 §5.4), the same for all who play there.
///
/// Nothing else is taken: what the hardware, the system or the build gives may name a person, or be the same on many devices, like the zeros that
/// systems give to those who may not ask. It proves nothing, for a client may make up another one each time.
///
/// It is compared by a number that one process makes of it, and neither kept nor shown: nothing writes it out.
///
/// ```
/// use scoreboard_core::DeviceId;
///
/// let id: DeviceId = "6f1d9c3e-8a57-4b0e-9d43-52c7e1a0b8f6".parse()?;
/// assert_eq!(format!("{id:?}"), "DeviceId");
/// assert!("00000000-0000-0000-0000-000000000000".parse::<DeviceId>().is_err());
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
#[cfg_attr(
    feature = "openapi",
    schema(pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")
)]
pub struct DeviceId(Uuid);

impl FromStr for DeviceId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const RANDOM: usize = 4;
        const HYPHENATED: usize = 36;
        let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == HYPHENATED);
        let random = uuid.filter(|id| id.get_version_num() == RANDOM && id.get_variant() == Variant::RFC4122);
        random.map(Self).ok_or_else(|| InvalidValue::new("device id", "must be a random UUID (version 4)"))
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::deserialize(deserializer)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_at_random_names_a_device() {
        let good = "6f1d9c3e-8a57-4b0e-9d43-52c7e1a0b8f6";
        let id: DeviceId = good.parse().unwrap();
        assert_eq!(id, good.to_uppercase().parse().unwrap(), "written in another way it is the same");
        assert_eq!(id, serde_json::from_value(good.into()).unwrap());
        assert!(!format!("{id:?}").contains("6f1d"));
        for bad in [
            "",
            "tablet",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            // Of a clock and a network card, of a name, and of the time.
            "2ed6657d-e927-11eb-bd8a-0242ac130003",
            "2ed6657d-e927-51eb-9d8a-0242ac130003",
            "019535d9-3df7-79fb-b466-fa907fa17f9e",
            // As version 4, but of no variant that has versions.
            "6f1d9c3e-8a57-4b0e-1d43-52c7e1a0b8f6",
            &format!("{good} "),
            &good[..35],
            &good.replace('-', ""),
        ] {
            let refused = bad.parse::<DeviceId>().unwrap_err().to_string();
            assert!(refused.contains("random UUID") && (bad.len() < 8 || !refused.contains(bad)), "{bad}: {refused}");
        }
        assert!(serde_json::from_str::<DeviceId>("7").is_err());
    }
}
