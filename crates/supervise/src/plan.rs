//! Checks a set of units before anything is touched: names, order, users.
//!
//! Pure. What it accepts can be started; what it refuses says which unit and
//! why.

use std::collections::{BTreeMap, BTreeSet};

use crate::unit::{SocketAddress, Unit};

/// Longest path of a Unix socket: `sun_path` is 108 bytes with its NUL.
pub const SOCKET_PATH_MAX_BYTES: usize = 107;

/// Most sockets of one unit.
pub const SOCKETS_MAX: usize = 64;

/// Why a set of units cannot be run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// The name cannot be a file name.
    #[error("unit name {0:?} is not 1 to 64 of letters, digits, '.', '_', '-'")]
    Name(String),
    /// Two units of one name.
    #[error("unit {0} is given twice")]
    Duplicate(String),
    /// `after` names nobody.
    #[error("unit {unit} starts after {after}, which is not a unit")]
    UnknownAfter {
        /// The unit.
        unit: String,
        /// What it names.
        after: String,
    },
    /// `after` goes in a circle.
    #[error("units wait for each other: {0}")]
    Cycle(String),
    /// No program, or a relative one.
    #[error("unit {0} needs the absolute path of a program")]
    Program(String),
    /// More sockets than are passed on.
    #[error("unit {0} has more than {SOCKETS_MAX} sockets")]
    Sockets(String),
    /// A socket name that `LISTEN_FDNAMES` cannot carry.
    #[error("socket name {name:?} of unit {unit} is empty, repeated or holds ':'")]
    SocketName {
        /// The unit.
        unit: String,
        /// The name.
        name: String,
    },
    /// A socket path that the kernel refuses.
    #[error(
        "socket path {path} has more than {SOCKET_PATH_MAX_BYTES} bytes; use a shorter data folder"
    )]
    SocketPath {
        /// The path.
        path: String,
    },
    /// A switch of user without root.
    #[error(
        "unit {unit} is to run as user {uid}, which only root can do; run as root, or without separate users"
    )]
    NotRoot {
        /// The unit.
        unit: String,
        /// The user it wants.
        uid: u32,
    },
}

/// Checks names, order and sockets. `own_ids` are the effective user and group
/// of the supervisor: without root a unit may only be given these.
pub(crate) fn check(units: &[Unit], own_ids: (u32, u32)) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for unit in units {
        check_unit(unit, own_ids)?;
        if !names.insert(unit.name.as_str()) {
            return Err(PlanError::Duplicate(unit.name.clone()));
        }
    }
    for unit in units {
        if let Some(after) = unit.after.iter().find(|name| !names.contains(name.as_str())) {
            return Err(PlanError::UnknownAfter { unit: unit.name.clone(), after: after.clone() });
        }
    }
    let after = units.iter().map(|unit| (unit.name.as_str(), unit.after.as_slice())).collect();
    check_cycles(after)
}

fn check_unit(unit: &Unit, own_ids: (u32, u32)) -> Result<(), PlanError> {
    if !is_name(&unit.name) {
        return Err(PlanError::Name(unit.name.clone()));
    }
    if !unit.argv.first().is_some_and(|program| program.starts_with('/')) {
        return Err(PlanError::Program(unit.name.clone()));
    }
    if unit.sockets.len() > SOCKETS_MAX {
        return Err(PlanError::Sockets(unit.name.clone()));
    }
    let mut names = BTreeSet::new();
    for socket in &unit.sockets {
        let name = socket.name.as_str();
        if name.is_empty() || name.contains([':', '\0']) || !names.insert(name) {
            return Err(PlanError::SocketName { unit: unit.name.clone(), name: name.to_owned() });
        }
        if let SocketAddress::Unix { path, .. } = &socket.address
            && path.as_os_str().len() > SOCKET_PATH_MAX_BYTES
        {
            return Err(PlanError::SocketPath { path: path.display().to_string() });
        }
    }
    match &unit.user {
        Some(user) if own_ids.0 != 0 && (user.uid, user.gid) != own_ids => {
            Err(PlanError::NotRoot { unit: unit.name.clone(), uid: user.uid })
        }
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Takes away whoever waits for nobody, until nobody is left or all wait.
fn check_cycles(mut after: BTreeMap<&str, &[String]>) -> Result<(), PlanError> {
    while !after.is_empty() {
        let free: Vec<&str> = after
            .iter()
            .filter(|(_, names)| !names.iter().any(|name| after.contains_key(name.as_str())))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            return Err(PlanError::Cycle(after.into_keys().collect::<Vec<_>>().join(", ")));
        }
        for name in free {
            after.remove(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Credentials, SocketSpec};

    fn unit(name: &str, after: &[&str]) -> Unit {
        let mut unit = Unit::new(name, ["/bin/true"], "/dev/null");
        unit.after = after.iter().map(|name| (*name).to_owned()).collect();
        unit
    }

    #[test]
    fn an_order_without_circles_is_accepted() {
        let units = [unit("edge", &["shard", "meta"]), unit("shard", &["meta"]), unit("meta", &[])];
        assert_eq!(check(&units, (0, 0)), Ok(()));
    }

    #[test]
    fn circles_strangers_and_doubles_are_named() {
        let circle = [unit("a", &["b"]), unit("b", &["a"]), unit("c", &[])];
        assert_eq!(check(&circle, (0, 0)), Err(PlanError::Cycle("a, b".into())));
        let itself = [unit("a", &["a"])];
        assert_eq!(check(&itself, (0, 0)), Err(PlanError::Cycle("a".into())));
        let stranger = [unit("a", &["x"])];
        assert!(matches!(check(&stranger, (0, 0)), Err(PlanError::UnknownAfter { .. })));
        let double = [unit("a", &[]), unit("a", &[])];
        assert_eq!(check(&double, (0, 0)), Err(PlanError::Duplicate("a".into())));
    }

    #[test]
    fn names_are_file_names() {
        for bad in ["", ".hidden", "a/b", "ä", "a b", &"x".repeat(65)] {
            assert_eq!(check(&[unit(bad, &[])], (0, 0)), Err(PlanError::Name(bad.into())));
        }
        assert_eq!(check(&[unit("aipress-shard-001.php-fpm", &[])], (0, 0)), Ok(()));
    }

    #[test]
    fn sockets_fit_their_convention() {
        let mut long = unit("a", &[]);
        long.sockets.push(SocketSpec::unix("s", "/".repeat(108), 0o600));
        assert!(matches!(check(&[long], (0, 0)), Err(PlanError::SocketPath { .. })));
        let mut colon = unit("a", &[]);
        colon.sockets.push(SocketSpec::unix("s:t", "/run/x", 0o600));
        assert!(matches!(check(&[colon], (0, 0)), Err(PlanError::SocketName { .. })));
        let mut relative = unit("a", &[]);
        relative.argv = vec!["true".into()];
        assert_eq!(check(&[relative], (0, 0)), Err(PlanError::Program("a".into())));
    }

    #[test]
    fn only_root_gives_away_users() {
        let mut other = unit("a", &[]);
        other.user = Some(Credentials { uid: 70_001, gid: 70_001, groups: vec![] });
        assert_eq!(check(&[other.clone()], (0, 0)), Ok(()));
        assert_eq!(check(&[other.clone()], (70_001, 70_001)), Ok(()));
        let refused = check(&[other], (1000, 1000));
        assert_eq!(refused, Err(PlanError::NotRoot { unit: "a".into(), uid: 70_001 }));
    }
}
