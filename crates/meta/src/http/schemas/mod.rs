//! `/v1/schemas`: JSON Schemas of documents.

pub(crate) mod tenant;
