//! Files by Landlock (landlock(7), Linux 5.13): nothing is opened, made, renamed or removed outside
//! of the folders that were named. With newer kernels also no TCP port bound (6.7) and no signal
//! sent to others (6.12). A process in here can't follow one outside by ptrace(2), and so reads
//! neither its memory nor its environment, whoever its user is. Connecting to a Unix socket is no
//! opening: the sockets' modes decide, as without.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::PathFdError;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetError;
use landlock::RulesetStatus;
use landlock::Scope;

use super::SYSTEM;
use super::SandboxError;

/// The rights that are known here; a kernel that knows fewer gives those.
const KNOWN: ABI = ABI::V6;

/// Whether the kernel has it, and it was not switched off at boot.
pub(super) fn is_available() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}

/// Gives up all files but these; `false` where the kernel has no Landlock.
pub(super) fn restrict(read: &[PathBuf], write: &[PathBuf]) -> Result<bool, SandboxError> {
    let refused = |error: RulesetError| SandboxError::Refused(error.to_string());
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|rules| rules.handle_access(AccessNet::BindTcp))
        .and_then(|rules| rules.scope(Scope::Signal))
        .and_then(Ruleset::create)
        .map_err(refused)?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    for path in SYSTEM.iter().map(Path::new).filter(|path| path.exists()) {
        rules = rules.add_rule(beneath(path, reading)?).map_err(refused)?;
    }
    for path in read {
        rules = rules.add_rule(beneath(path, reading)?).map_err(refused)?;
    }
    for path in write {
        rules = rules.add_rule(beneath(path, changing())?).map_err(refused)?;
    }
    let status = rules.restrict_self().map_err(refused)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// All that is done with files and folders; no programs, devices, pipes and sockets.
fn changing() -> BitFlags<AccessFs> {
    let never = AccessFs::Execute
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::MakeFifo
        | AccessFs::MakeSock
        | AccessFs::IoctlDev;
    AccessFs::from_all(KNOWN) & !never
}

/// The rule for what is at a path now. A file takes the rights that a file can have.
fn beneath(path: &Path, access: BitFlags<AccessFs>) -> Result<PathBeneath<PathFd>, SandboxError> {
    let at = |error| SandboxError::Path { path: path.to_owned(), error };
    let is_dir = std::fs::metadata(path).map_err(at)?.is_dir();
    let opened = PathFd::new(path).map_err(|error| match error {
        PathFdError::OpenCall { source, .. } => at(source),
        other => at(io::Error::other(other)),
    })?;
    let access = if is_dir { access } else { access & AccessFs::from_file(KNOWN) };
    Ok(PathBeneath::new(opened, access))
}
