//! From columns to domain values and back. Whatever cannot be read back is
//! [`StoreError::Corrupt`], with the table and column in its context.

use std::fmt::Display;
use std::str::FromStr;

use aipress_types::ShardId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use super::Result;
use crate::error::StoreError;

/// One row of one table.
pub(super) struct Columns<'r> {
    row: &'r SqliteRow,
    table: &'static str,
}

impl<'r> Columns<'r> {
    pub(super) fn new(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { row, table }
    }

    fn bad(
        &self,
        column: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::corrupt(format!("{}.{column}", self.table), source)
    }

    fn get<T>(&self, column: &str) -> Result<T>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.row.try_get(column).map_err(|error| self.bad(column, error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }

    pub(super) fn blob(&self, column: &str) -> Result<Vec<u8>> {
        self.get(column)
    }

    pub(super) fn blob_or_none(&self, column: &str) -> Result<Option<Vec<u8>>> {
        self.get(column)
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool> {
        self.get(column)
    }

    /// An unsigned number.
    pub(super) fn count<N: TryFrom<i64>>(&self, column: &str) -> Result<N> {
        let number: i64 = self.get(column)?;
        N::try_from(number).map_err(|_| self.bad(column, format!("{number} is out of range")))
    }

    pub(super) fn count_or_none<N: TryFrom<i64>>(&self, column: &str) -> Result<Option<N>> {
        let number: Option<i64> = self.get(column)?;
        number.map(|_| self.count(column)).transpose()
    }

    /// Anything that is written as its text: ids, names, words.
    pub(super) fn parsed<T: FromStr>(&self, column: &str) -> Result<T>
    where
        T::Err: Display,
    {
        self.text(column)?.parse().map_err(|error: T::Err| self.bad(column, error.to_string()))
    }

    pub(super) fn parsed_or_none<T: FromStr>(&self, column: &str) -> Result<Option<T>>
    where
        T::Err: Display,
    {
        self.text_or_none(column)?
            .map(|text| text.parse().map_err(|error: T::Err| self.bad(column, error.to_string())))
            .transpose()
    }

    /// Anything whose word is its serialized form.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_value(text.into()).map_err(|error| self.bad(column, error))
    }

    pub(super) fn word_or_none<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.text_or_none(column)?
            .map(|text| {
                serde_json::from_value(text.into()).map_err(|error| self.bad(column, error))
            })
            .transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.bad(column, error))
    }

    pub(super) fn json_or_none<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.text_or_none(column)?
            .map(|text| serde_json::from_str(&text).map_err(|error| self.bad(column, error)))
            .transpose()
    }

    pub(super) fn time(&self, column: &str) -> Result<OffsetDateTime> {
        from_micros(self.get(column)?).ok_or_else(|| self.bad(column, "no such time"))
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<OffsetDateTime>> {
        let at: Option<i64> = self.get(column)?;
        at.map(|_| self.time(column)).transpose()
    }

    pub(super) fn shard(&self, column: &str) -> Result<ShardId> {
        ShardId::from_number(self.count(column)?).ok_or_else(|| self.bad(column, "shard 0"))
    }

    pub(super) fn shard_or_none(&self, column: &str) -> Result<Option<ShardId>> {
        let number: Option<i64> = self.get(column)?;
        number.map(|_| self.shard(column)).transpose()
    }
}

/// Microseconds since 1970.
pub(super) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

fn from_micros(at: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000).ok()
}

/// A number for a column; the top half of `u64` does not occur.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// JSON for a column.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Other(error.into()))
}

/// JSON for a column that may be null.
pub(super) fn json_text_or_none<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(json_text).transpose()
}
