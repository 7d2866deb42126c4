//! A write transaction: all or nothing.

use sqlx::Sqlite;
use sqlx::SqliteConnection;
use sqlx::Transaction;

use super::Result;
use super::result_codes::Db;
use crate::error::StoreError;

/// A write transaction. Dropped without [`Txn::commit`], it is rolled back.
///
/// After a call that the database refused (a conflict, a full disk, a cancelled call) the
/// transaction is good for nothing more, as in PostgreSQL: every later call fails, `commit` too.
/// Errors that were found before anything was written (no such row, etag, transition, fencing,
/// cursor) leave it usable.
#[derive(Debug)]
pub struct Txn {
    transaction: Transaction<'static, Sqlite>,
    /// Set while a call runs, and for good when it fails. After some errors SQLite rolls back by
    /// itself; a later statement would then be committed on its own.
    broken: bool,
}

impl Txn {
    pub(super) fn new(transaction: Transaction<'static, Sqlite>) -> Self {
        Self { transaction, broken: false }
    }

    /// Makes everything that was written durable and visible, at once.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing was written. When this future is dropped before it is
    /// ready, it may have been.
    pub async fn commit(self) -> Result<()> {
        if self.broken {
            return Err(broken());
        }
        self.transaction.commit().await.db()
    }

    /// Undoes everything that was written, and waits for it (dropping does not wait).
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written then, either.
    pub async fn rollback(self) -> Result<()> {
        self.transaction.rollback().await.db()
    }

    /// The connection, for one call.
    pub(super) fn enter(&mut self) -> Result<&mut SqliteConnection> {
        if self.broken {
            return Err(broken());
        }
        self.broken = true;
        Ok(&mut self.transaction)
    }

    /// Ends the call that [`Txn::enter`] began.
    pub(super) fn leave<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.broken = match &outcome {
            Ok(_)
            | Err(
                StoreError::NotFound { .. }
                | StoreError::EtagMismatch { .. }
                | StoreError::Transition { .. }
                | StoreError::Fenced { .. }
                | StoreError::Cursor,
            ) => false,
            Err(_) => true,
        };
        outcome
    }
}

fn broken() -> StoreError {
    StoreError::Other("an earlier call failed, so that the transaction can only be undone".into())
}
