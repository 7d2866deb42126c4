//! Colours of states, the same in every table: green is as it should be, yellow is on its way or
//! set aside on purpose, red needs somebody.

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const OFF: &str = "\x1b[0m";

/// Headings and fields that hold a state.
const HOLDERS: [&str; 8] =
    ["STATE", "HEALTH", "SCHEDULABILITY", "STATUS", "OUTCOME", "RESULT", "LEVEL", "ENABLED"];

/// `cell`, coloured when what `heading` holds is a state that is known.
pub(super) fn colored(heading: &str, cell: &str) -> String {
    let color = HOLDERS.iter().any(|holder| heading.eq_ignore_ascii_case(holder));
    match cell.trim_end().split(' ').next().filter(|_| color).and_then(color_of) {
        Some(color) => format!("{color}{cell}{OFF}"),
        None => cell.to_owned(),
    }
}

fn color_of(state: &str) -> Option<&'static str> {
    match state {
        "active" | "succeeded" | "healthy" | "open" | "ready" | "delivered" | "ok" | "good"
        | "serving" | "enabled" => Some(GREEN),
        "creating" | "pending" | "running" | "starting" | "stopping" | "suspended" | "cordoned"
        | "deleted" | "superseded" | "degraded" | "inactive" | "disabled" | "warning"
        | "retrying" | "unknown" => Some(YELLOW),
        "failed" | "erased" | "unhealthy" | "unreachable" | "lost" | "error" | "bad"
        | "backoff" | "fatal" => Some(RED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_states_are_coloured() {
        assert_eq!(colored("STATE", "active   "), "\x1b[32mactive   \x1b[0m");
        assert_eq!(colored("State", "failed (on its way)"), "\x1b[31mfailed (on its way)\x1b[0m");
        assert_eq!(colored("NAME", "active"), "active");
        assert_eq!(colored("STATE", "-"), "-");
    }
}
