//! Which mutations can be planned: those whose every effect before the commit is in the registry's
//! transaction, so that rolling it back undoes them. Every mutation is in one of the two tables; a
//! test fails for one that is in neither.

/// Method and path (as in the API's description) of what can be planned.
pub(crate) const PLANNED: &[(&str, &str)] = &[
    ("DELETE", "/v1/tenants/{id}"),
    ("PATCH", "/v1/shards/{id}"),
    ("PATCH", "/v1/tenants/{id}"),
    ("POST", "/v1/tenants"),
    ("POST", "/v1/tenants/{id}/erase"),
    ("POST", "/v1/tenants/{id}/resume"),
    ("POST", "/v1/tenants/{id}/suspend"),
    ("POST", "/v1/tenants/{id}/undelete"),
    ("PUT", "/v1/tenants/{id}"),
];

/// What can't, and why.
pub(crate) const NOT_PLANNED: &[(&str, &str, &str)] = &[
    ("DELETE", "/v1/imports/{id}", "an import that is not complete has changed nothing yet"),
    ("DELETE", "/v1/webhooks/{id}", "it changes no site"),
    ("PATCH", "/v1/imports/{id}/data", "it only brings data"),
    ("PATCH", "/v1/webhooks/{id}", "it changes no site"),
    ("POST", "/v1/imports", "what is in an archive is known only once it is here"),
    ("POST", "/v1/imports/{id}/complete", "ask `GET /v1/imports/{id}` what was found in it"),
    ("DELETE", "/v1/packages/{sha256}", "it changes no site"),
    ("POST", "/v1/packages", "it changes no site"),
    ("POST", "/v1/packages/fetch", "it changes no site"),
    ("POST", "/v1/plans", "a plan changes nothing: leave `dryRun` out"),
    ("POST", "/v1/plans/{hash}/apply", "read the plan instead: `GET /v1/plans/{hash}`"),
    ("POST", "/v1/tenants/{id}/clone", "nobody can say yet what it would do"),
    ("POST", "/v1/tenants/{id}/exports", "it changes nothing of the site"),
    ("POST", "/v1/tenants/{id}/inventory/refresh", "it changes nothing of the site"),
    ("POST", "/v1/tenants/{id}/login-link", "it changes nothing of the site"),
    ("POST", "/v1/tenants/{id}/wp", "what a command does is known only once it ran"),
    ("POST", "/v1/webhooks", "it changes no site"),
    ("POST", "/v1/webhooks/{id}/deliveries/{delivery}/replay", "it changes no site"),
    ("POST", "/v1/webhooks/{id}/rotate-secret", "it changes no site"),
    ("POST", "/v1/webhooks/{id}/test", "it changes no site"),
];

/// Whether it can be planned; if not, why.
pub(crate) fn planned(method: &str, path: &str) -> Result<(), &'static str> {
    if PLANNED.contains(&(method, path)) {
        return Ok(());
    }
    let line = NOT_PLANNED.iter().find(|line| (line.0, line.1) == (method, path));
    Err(line.map_or("nobody can say yet what it would do", |line| line.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_is_covered() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut there = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|method| *method != "get") {
                there.push((method.to_uppercase(), path.clone()));
            }
        }
        for (method, path) in &there {
            let (planned, not) = (
                PLANNED.contains(&(method, path)),
                NOT_PLANNED.iter().any(|line| (line.0, line.1) == (method.as_str(), path.as_str())),
            );
            assert!(planned != not, "{method} {path}: put it into one of the tables above");
        }
        let listed = PLANNED.iter().copied().chain(NOT_PLANNED.iter().map(|line| (line.0, line.1)));
        for (method, path) in listed {
            let is_there = there.iter().any(|(m, p)| (m.as_str(), p.as_str()) == (method, path));
            assert!(is_there, "{method} {path} is no mutation (any more)");
        }
    }
}
