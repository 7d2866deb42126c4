//! Query parameters of lists: strict, because a misspelt filter that is ignored shows too much.

use std::str::FromStr;

use aipress_api::page::DEFAULT_LIMIT;
use aipress_api::page::MAX_LIMIT;
use axum::extract::FromRequestParts;
use axum::extract::Query;
use http::request::Parts;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::codes;
use crate::http::cursor;
use crate::http::json::closest;
use crate::problem::ApiError;

/// The names and values of a query, as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| invalid("the query is not `name=value&…`"))
    }
}

/// A query that is not understood.
pub(crate) fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::new(&codes::INVALID_QUERY, detail)
}

impl Params {
    /// Refuses names that are not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(invalid(match closest(name, known) {
                Some(meant) => format!("unknown parameter `{name}`: did you mean `{meant}`?"),
                None => format!("unknown parameter `{name}`: known are {}", known.join(", ")),
            })),
        }
    }

    /// The one value of `name`.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(invalid(format!("`{name}` is given more than once")));
        }
        Ok(first)
    }

    /// The one value of `name`, understood.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        self.one(name)?
            .map(|text| text.parse().map_err(|error| invalid(format!("`{name}`: {error}"))))
            .transpose()
    }

    /// Every value of `name`, given again and again or with commas.
    pub(crate) fn all<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ApiError> {
        self.0
            .iter()
            .filter(|(other, _)| other == name)
            .flat_map(|(_, value)| value.split(','))
            .map(|text| parse(text).map_err(|error| invalid(format!("`{name}`: {error}"))))
            .collect()
    }

    /// A time (RFC 3339).
    pub(crate) fn time(&self, name: &str) -> Result<Option<OffsetDateTime>, ApiError> {
        self.one(name)?
            .map(|text| {
                OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
                    invalid(format!("`{name}`: not a time such as 2026-11-21T00:00:00Z"))
                })
            })
            .transpose()
    }

    /// `limit`, or the default.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        let limit = self.parsed::<u32>("limit")?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            Ok(limit)
        } else {
            Err(invalid(format!("`limit` is 1 to {MAX_LIMIT}")))
        }
    }

    /// What a cursor of this list is bound to: everything but the page itself, in one order.
    pub(crate) fn binding(&self, list: &str) -> cursor::Binding {
        let mut rest: Vec<&(String, String)> =
            self.0.iter().filter(|(name, _)| name != "limit" && name != "cursor").collect();
        rest.sort();
        cursor::Binding::new(list, &rest)
    }
}
