//! Where a row lies in its table: the system column `ctid`, by which it is found again without an index.
//!
//! Only good as long as nobody has moved the row: whoever finds one there by it asks it whose it is.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// `tid` and `tid[]`, whose numbers never change: they are part of the catalogue that a server is built with.
const TID: PgTypeInfo = PgTypeInfo::with_oid(Oid(27));
const TIDS: PgTypeInfo = PgTypeInfo::with_oid(Oid(1010));

/// The number of a block, and of a row in it, as the server sends and takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PlaceOfRow([u8; 6]);

#[cfg(test)]
impl PlaceOfRow {
    /// That of a table's first row.
    pub(crate) const fn first() -> Self {
        Self([0, 0, 0, 0, 0, 1])
    }
}

impl Type<Postgres> for PlaceOfRow {
    fn type_info() -> PgTypeInfo {
        TID
    }
}

impl PgHasArrayType for PlaceOfRow {
    fn array_type_info() -> PgTypeInfo {
        TIDS
    }
}

impl Decode<'_, Postgres> for PlaceOfRow {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Self(value.as_bytes()?.try_into()?)),
            PgValueFormat::Text => Err("a row's place in words".into()),
        }
    }
}

impl Encode<'_, Postgres> for PlaceOfRow {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}
