//! The backends that the suite runs on.

use aipress_store::Store;
use aipress_store::StoreOptions;
use uuid::Uuid;

/// An empty registry that can be opened more than once.
pub(crate) enum Registry {
    /// A file in a temporary folder.
    Sqlite(tempfile::TempDir),
}

/// One empty registry of each backend.
pub(crate) fn all() -> Vec<Registry> {
    vec![Registry::Sqlite(tempfile::tempdir().unwrap())]
}

impl Registry {
    /// Opens it as a new process would.
    pub(crate) async fn open(&self) -> Store {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("registry.db");
                Store::open(StoreOptions::new(path, Uuid::new_v4())).await.unwrap()
            }
        }
    }
}

/// Makes a test of each case: a function over an opened, empty registry.
#[macro_export]
macro_rules! on_each_backend {
    ($($case:ident),* $(,)?) => {
        mod on_each_backend {
            $(
                #[tokio::test]
                async fn $case() {
                    for registry in $crate::backends::all() {
                        super::$case(&registry).await;
                    }
                }
            )*
        }
    };
}
