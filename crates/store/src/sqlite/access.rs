//! How a function over a connection becomes a method: reads on [`super::Store`] and
//! [`super::Txn`] alike, writes on `Txn` alone.

/// Declares reads: `name(arguments) -> T` calls the file's own `name(conn, arguments)`.
macro_rules! reads {
    ($( $(#[$meta:meta])* $name:ident($($arg:ident: $kind:ty),* $(,)?) -> $out:ty; )*) => {
        impl $crate::sqlite::Store {
            $(
                $(#[$meta])*
                ///
                /// # Errors
                /// See [`StoreError`](crate::StoreError).
                pub async fn $name(&self, $($arg: $kind),*) -> $crate::sqlite::Result<$out> {
                    let mut conn = self.reader().await?;
                    $name(&mut conn, $($arg),*).await
                }
            )*
        }

        impl $crate::sqlite::Txn {
            $(
                $(#[$meta])*
                ///
                /// # Errors
                /// See [`StoreError`](crate::StoreError).
                pub async fn $name(&mut self, $($arg: $kind),*) -> $crate::sqlite::Result<$out> {
                    let conn = self.enter()?;
                    let outcome = $name(conn, $($arg),*).await;
                    self.leave(outcome)
                }
            )*
        }
    };
}

/// Declares writes: `name(arguments) -> T` calls the file's own `name(conn, arguments)`.
macro_rules! writes {
    ($( $(#[$meta:meta])* $name:ident($($arg:ident: $kind:ty),* $(,)?) -> $out:ty; )*) => {
        impl $crate::sqlite::Txn {
            $(
                $(#[$meta])*
                ///
                /// # Errors
                /// See [`StoreError`](crate::StoreError).
                pub async fn $name(&mut self, $($arg: $kind),*) -> $crate::sqlite::Result<$out> {
                    let conn = self.enter()?;
                    let outcome = $name(conn, $($arg),*).await;
                    self.leave(outcome)
                }
            )*
        }
    };
}
