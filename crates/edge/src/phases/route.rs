//! Phase `route`: which site a host is, and whether it is served. Pure but for the table's lock;
//! only a host that the table does not have is asked for.

use std::sync::Arc;

use aipress_api::internal::RouteState;

use super::refusal::Refusal;
use crate::edge::Edge;
use crate::host::Host;
use crate::routes::lookup::Answer;
use crate::routes::table::Route;
use crate::upstream::Upstream;

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Place {
    /// To meta's public API.
    Console,
    /// To a site.
    Site(Arc<Route>),
}

impl Place {
    /// The site, if it is one.
    pub(crate) fn site(&self) -> Option<&Arc<Route>> {
        match self {
            Self::Console => None,
            Self::Site(route) => Some(route),
        }
    }

    /// Whoever answers there.
    pub(crate) fn upstream<'a>(&'a self, edge: &'a Edge) -> Result<&'a Arc<Upstream>, Refusal> {
        match self {
            Self::Console => Ok(&edge.console),
            Self::Site(route) => upstream_of(route),
        }
    }
}

/// Finds the place of `host`.
pub(crate) async fn find(edge: &Edge, host: &Host) -> Result<Place, Refusal> {
    let name = host.name();
    if name == edge.console_host {
        return Ok(Place::Console);
    }
    if let Some(route) = edge.table.get(name) {
        return Ok(Place::Site(route));
    }
    let answer = if host.is_name() { edge.lookup.find(name).await } else { Answer::Nowhere };
    match answer {
        Answer::Found(route) => Ok(Place::Site(route)),
        Answer::Nowhere => Err(Refusal::UnknownHost),
        Answer::Unasked => Err(without_answer(edge.table.is_loaded())),
    }
}

/// What an unknown host gets that meta could not be asked about: with a table it is unknown.
/// Before there is one nobody knows, and a 404 would tell crawlers that a site is gone.
fn without_answer(is_loaded: bool) -> Refusal {
    if is_loaded { Refusal::UnknownHost } else { Refusal::NoRoutes }
}

/// The gateway of a site that is served; for another the page that its state asks for.
fn upstream_of(route: &Route) -> Result<&Arc<Upstream>, Refusal> {
    match route.entry.state {
        RouteState::Serving => route.upstream.as_ref().ok_or(Refusal::Broken),
        RouteState::Suspended => Err(Refusal::Suspended),
        RouteState::Starting => Err(Refusal::Starting),
        RouteState::Broken => Err(Refusal::Broken),
        RouteState::Gone => Err(Refusal::UnknownHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::internal::RouteEntry;
    use http::HeaderValue;
    use std::sync::atomic::AtomicUsize;

    fn route(state: RouteState, upstream: Option<Arc<Upstream>>) -> Route {
        Route {
            entry: RouteEntry {
                host: "a".to_owned(),
                tenant: "f47ac10b-58cc-4372-a567-0e02b2c3d479".parse().unwrap(),
                name: "a".to_owned(),
                shard: aipress_types::ShardId::from_number(1).unwrap(),
                upstream: String::new(),
                state,
                placement_epoch: 1,
            },
            tenant: HeaderValue::from_static("uid"),
            upstream,
            in_flight: AtomicUsize::new(0),
        }
    }

    #[test]
    fn each_state_has_its_page() {
        let gateway = Arc::new(Upstream::new("unix:/g".parse().unwrap()));
        for (state, refusal) in [
            (RouteState::Suspended, Refusal::Suspended),
            (RouteState::Starting, Refusal::Starting),
            (RouteState::Broken, Refusal::Broken),
            (RouteState::Gone, Refusal::UnknownHost),
        ] {
            let route = route(state, Some(Arc::clone(&gateway)));
            assert_eq!(upstream_of(&route).unwrap_err(), refusal);
        }
        assert!(upstream_of(&route(RouteState::Serving, Some(gateway))).is_ok());
        let lost = upstream_of(&route(RouteState::Serving, None)).map(|_| ());
        assert_eq!(lost, Err(Refusal::Broken));
    }

    #[test]
    fn a_host_is_unknown_only_to_who_has_a_table() {
        assert_eq!(without_answer(true), Refusal::UnknownHost);
        assert_eq!(without_answer(false), Refusal::NoRoutes);
    }
}
