//! Visitors' connections: accepting them, telling HTTP/1.1 from HTTP/2, and their patience.

pub(crate) mod accept;
pub(crate) mod patience;
pub(crate) mod preface;
pub(crate) mod stream;
pub(crate) mod visitor;
