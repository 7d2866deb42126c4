//! Control groups of slots, by version 2 or version 1 of the kernel's interface
//! (`cgroups(7)`), whichever has the controllers.
//!
//! A shard has one group at the top of each hierarchy, `aipress-<hash of its folder>`; below it are
//! `php`, in which masters are and workers begin, and `slot-NN` for each slot that has a share. All
//! sites together have the weight of two processes for each core, so that database, gateway and
//! edge are never pushed aside by them. What a hierarchy refuses is left out and told of.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::layout::Slot;
use crate::share::ShareControls;
use crate::share::ShareMet;
use crate::share::SlotShare;

/// Where hierarchies are mounted.
pub(super) const MOUNTED: &str = "/sys/fs/cgroup";
/// Part of a second that CPU is counted in, in µs (the kernel's own default).
const PERIOD_US: u64 = 100_000;
/// Weight of one process in both versions: v2's default, v1's default.
const WEIGHT_ONE: [u64; 2] = [100, 1024];
/// Group of masters.
const PHP: &str = "php";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Cpu,
    Memory,
    Pids,
}

const CONTROLLERS: [(Controller, &str); 3] =
    [(Controller::Cpu, "cpu"), (Controller::Memory, "memory"), (Controller::Pids, "pids")];

/// A tree of groups with its controllers.
#[derive(Debug)]
struct Hierarchy {
    /// The shard's group.
    dir: PathBuf,
    controllers: Vec<Controller>,
    is_v2: bool,
}

/// The groups of one shard.
#[derive(Debug)]
pub(super) struct Groups {
    hierarchies: Vec<Hierarchy>,
    /// CPU that one slot may have at most, in thousandths of a core, whatever its share says.
    cpu_millis_most: u32,
}

impl Groups {
    /// Makes the shard's groups where the machine lets it. `mounted` is [`MOUNTED`].
    pub(super) fn open(mounted: &Path, name: &str, cores: u64) -> Self {
        let made = find(mounted, name).into_iter().filter_map(|hierarchy| {
            // What can't be made is not in force, which `controls` says.
            hierarchy.make(cores).ok().flatten()
        });
        Self { hierarchies: made.collect(), cpu_millis_most: most_of(cores) }
    }

    pub(super) fn controls(&self) -> ShareControls {
        let has = |wanted| self.hierarchies.iter().any(|h| h.controllers.contains(&wanted));
        ShareControls {
            cpu: has(Controller::Cpu),
            memory: has(Controller::Memory),
            processes: has(Controller::Pids),
        }
    }

    /// Makes a slot's group and sets its limits.
    pub(super) fn set(&self, slot: Slot, share: &SlotShare) -> io::Result<()> {
        let cpu_millis = share.cpu_millis.min(self.cpu_millis_most);
        let share = &SlotShare { cpu_millis, ..*share };
        for hierarchy in &self.hierarchies {
            let dir = hierarchy.slot(slot);
            make_dir(&dir)?;
            for controller in &hierarchy.controllers {
                hierarchy.limit(&dir, *controller, share)?;
            }
        }
        Ok(())
    }

    /// Processes that are where masters are: masters, and workers that were only just started.
    pub(super) fn starting(&self) -> io::Result<Vec<u32>> {
        self.hierarchies.first().map_or(Ok(Vec::new()), |h| processes(&h.dir.join(PHP)))
    }

    /// Puts a process where masters are.
    pub(super) fn put_master(&self, pid: u32) -> io::Result<()> {
        self.hierarchies.iter().try_for_each(|h| put(&h.dir.join(PHP), pid))
    }

    /// Puts a process in its slot's group. One that has ended, or a slot without a share, is let be.
    pub(super) fn put(&self, slot: Slot, pid: u32) -> io::Result<()> {
        self.hierarchies.iter().try_for_each(|h| put(&h.slot(slot), pid))
    }

    /// Whether something runs in a slot's group; `None` where there are no groups.
    pub(super) fn is_busy(&self, slot: Slot) -> Option<bool> {
        let first = self.hierarchies.first()?;
        Some(processes(&first.slot(slot)).is_ok_and(|pids| !pids.is_empty()))
    }

    /// What the kernel counted of a slot.
    pub(super) fn met(&self, slot: Slot) -> ShareMet {
        let mut met = ShareMet::default();
        for hierarchy in &self.hierarchies {
            let dir = hierarchy.slot(slot);
            let count = |file: &str, key: &str| counted(&dir.join(file), key).unwrap_or(0);
            for controller in &hierarchy.controllers {
                match controller {
                    Controller::Cpu => {
                        met.cpu_periods = count("cpu.stat", "nr_periods");
                        met.cpu_throttled = count("cpu.stat", "nr_throttled");
                    }
                    Controller::Memory => {
                        let file =
                            if hierarchy.is_v2 { "memory.events" } else { "memory.oom_control" };
                        met.memory_kills = count(file, "oom_kill");
                    }
                    Controller::Pids => met.process_refusals = count("pids.events", "max"),
                }
            }
        }
        met
    }
}

/// Files that a process writes `0` to, to be in its slot's group.
pub(super) fn doors(mounted: &Path, name: &str, slot: Slot) -> Vec<PathBuf> {
    let doors = find(mounted, name).into_iter().map(|h| h.slot(slot).join("cgroup.procs"));
    doors.filter(|door| door.exists()).collect()
}

/// What the groups that are there hold slots to.
pub(super) fn look(mounted: &Path, name: &str) -> ShareControls {
    let there = find(mounted, name).into_iter().filter(|h| h.dir.join(PHP).is_dir());
    let mut hierarchies: Vec<Hierarchy> = there.collect();
    for hierarchy in hierarchies.iter_mut().filter(|h| h.is_v2) {
        let file = hierarchy.dir.join("cgroup.subtree_control");
        let words = fs::read_to_string(file).unwrap_or_default();
        let has = |wanted: &str| words.split_ascii_whitespace().any(|word| word == wanted);
        hierarchy
            .controllers
            .retain(|own| CONTROLLERS.iter().any(|(kind, word)| kind == own && has(word)));
    }
    Groups { hierarchies, cpu_millis_most: u32::MAX }.controls()
}

/// Version of control groups that slots would be in, where there is one with a controller of
/// interest.
pub(super) fn version(mounted: &Path) -> Option<u8> {
    find(mounted, "").first().map(|hierarchy| if hierarchy.is_v2 { 2 } else { 1 })
}

/// Removes a shard's groups, which nothing is in any more. What is not there is removed.
pub(super) fn remove(mounted: &Path, name: &str) -> io::Result<()> {
    for hierarchy in find(mounted, name) {
        let slots = Slot::all().map(|slot| hierarchy.slot(slot));
        let below = slots.chain([hierarchy.dir.join(PHP)]);
        for dir in below.chain([hierarchy.dir.clone()]) {
            match fs::remove_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Hierarchies with a controller of interest, each with where the shard's group would be.
fn find(mounted: &Path, name: &str) -> Vec<Hierarchy> {
    let words = fs::read_to_string(mounted.join("cgroup.controllers")).unwrap_or_default();
    let has = |wanted: &str| words.split_ascii_whitespace().any(|word| word == wanted);
    let unified: Vec<Controller> =
        CONTROLLERS.iter().filter(|(_, word)| has(word)).map(|(kind, _)| *kind).collect();
    if !unified.is_empty() {
        return vec![Hierarchy { dir: mounted.join(name), controllers: unified, is_v2: true }];
    }
    let mut found: Vec<Hierarchy> = Vec::new();
    for (controller, word) in CONTROLLERS {
        // Several controllers may be one hierarchy, under both names: `cpu` and `cpu,cpuacct`.
        let places = [mounted.join(word), mounted.join(format!("{word},{word}acct"))];
        let Some(place) = places.into_iter().find(|place| place.join("cgroup.procs").exists())
        else {
            continue;
        };
        found.push(Hierarchy {
            dir: place.join(name),
            controllers: vec![controller],
            is_v2: false,
        });
    }
    found
}

/// What one slot may have of so many cores: half a core stays everybody else's, also beside a tier
/// that has as many cores as there are. Of one core, weights alone decide.
fn most_of(cores: u64) -> u32 {
    match u32::try_from(cores) {
        Ok(0 | 1) | Err(_) => u32::MAX,
        Ok(cores) => cores.saturating_mul(1000) - 500,
    }
}

impl Hierarchy {
    fn slot(&self, slot: Slot) -> PathBuf {
        self.dir.join(format!("slot-{slot}"))
    }

    /// Makes the shard's group; `None` when it has no controller after all.
    fn make(self, cores: u64) -> io::Result<Option<Self>> {
        make_dir(&self.dir)?;
        let mut controllers = self.controllers.clone();
        if self.is_v2 {
            let top = self.dir.parent().unwrap_or(&self.dir);
            controllers.retain(|controller| {
                let word = CONTROLLERS.iter().find(|(kind, _)| kind == controller);
                let word = format!("+{}", word.map_or("", |(_, word)| word));
                [top, &self.dir]
                    .iter()
                    .all(|dir| fs::write(dir.join("cgroup.subtree_control"), &word).is_ok())
            });
        }
        make_dir(&self.dir.join(PHP))?;
        if controllers.contains(&Controller::Cpu) {
            let (file, one) = self.weight();
            fs::write(self.dir.join(file), (2 * cores * one).to_string())?;
        }
        Ok((!controllers.is_empty()).then_some(Self { controllers, ..self }))
    }

    fn weight(&self) -> (&'static str, u64) {
        let [v2, v1] = WEIGHT_ONE;
        if self.is_v2 { ("cpu.weight", v2) } else { ("cpu.shares", v1) }
    }

    fn limit(&self, dir: &Path, controller: Controller, share: &SlotShare) -> io::Result<()> {
        let write = |file: &str, value: String| fs::write(dir.join(file), value);
        match controller {
            Controller::Cpu => {
                let (file, one) = self.weight();
                write(file, (u64::from(share.cpu_weight) * one / 100).to_string())?;
                let quota = u64::from(share.cpu_millis) * PERIOD_US / 1000;
                if self.is_v2 {
                    return write("cpu.max", format!("{quota} {PERIOD_US}"));
                }
                write("cpu.cfs_period_us", PERIOD_US.to_string())?;
                write("cpu.cfs_quota_us", quota.to_string())
            }
            Controller::Memory => {
                let bytes = share.memory_bytes.to_string();
                if self.is_v2 {
                    // A kernel without swap has no such file.
                    let _ = write("memory.swap.max", "0".to_owned());
                    return write("memory.max", bytes);
                }
                // Memory with swap is never less than without, so that the order of two changes
                // depends on their direction; the first may fail for it.
                let _ = write("memory.memsw.limit_in_bytes", bytes.clone());
                write("memory.limit_in_bytes", bytes.clone())?;
                let _ = write("memory.memsw.limit_in_bytes", bytes);
                Ok(())
            }
            Controller::Pids => write("pids.max", share.processes.to_string()),
        }
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn processes(dir: &Path) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(dir.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

fn put(dir: &Path, pid: u32) -> io::Result<()> {
    match fs::write(dir.join("cgroup.procs"), pid.to_string()) {
        // It has ended, or its slot has no share yet.
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The figure behind a word in a file of lines `word figure`.
fn counted(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: SlotShare =
        SlotShare { cpu_weight: 200, cpu_millis: 1500, memory_bytes: 1 << 30, processes: 64 };

    fn slot(number: u32) -> Slot {
        Slot::new(number).unwrap()
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn version_2_has_one_tree_with_the_controllers_that_it_gives() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        let groups = Groups::open(root.path(), "aipress-1", 4);
        assert_eq!(groups.controls(), ShareControls { cpu: true, memory: true, processes: true });
        let top = root.path().join("aipress-1");
        assert_eq!(read(top.join("cpu.weight")), "800");
        groups.set(slot(7), &SHARE).unwrap();
        let of = top.join("slot-07");
        assert_eq!(read(of.join("cpu.weight")), "200");
        assert_eq!(read(of.join("cpu.max")), "150000 100000");
        assert_eq!(read(of.join("memory.max")), "1073741824");
        assert_eq!(read(of.join("pids.max")), "64");
        fs::write(of.join("memory.events"), "low 0\noom 2\noom_kill 1\n").unwrap();
        fs::write(of.join("pids.events"), "max 12\n").unwrap();
        fs::write(of.join("cpu.stat"), "usage_usec 9\nnr_periods 30\nnr_throttled 20\n").unwrap();
        let met = groups.met(slot(7));
        assert_eq!((met.memory_kills, met.process_refusals), (1, 12));
        assert_eq!((met.cpu_periods, met.cpu_throttled), (30, 20));
        groups.put(slot(7), 123).unwrap();
        assert_eq!(groups.is_busy(slot(7)), Some(true));
        assert_eq!(groups.is_busy(slot(8)), Some(false));
        assert_eq!(doors(root.path(), "aipress-1", slot(7)), [of.join("cgroup.procs")]);
        // A slot without a share is let be.
        groups.put(slot(9), 123).unwrap();
        // Half a core stays the others', whatever a tier has.
        groups.set(slot(7), &SlotShare { cpu_millis: 4000, ..SHARE }).unwrap();
        assert_eq!(read(of.join("cpu.max")), "350000 100000");
        assert_eq!((most_of(1), most_of(2)), (u32::MAX, 1500));
        assert_eq!(version(root.path()), Some(2));
    }

    #[test]
    fn version_1_has_a_tree_for_each_controller() {
        let root = tempfile::tempdir().unwrap();
        for name in ["cpu,cpuacct", "pids"] {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join("cgroup.procs"), "").unwrap();
        }
        let groups = Groups::open(root.path(), "aipress-1", 2);
        assert_eq!(groups.controls(), ShareControls { cpu: true, memory: false, processes: true });
        groups.set(slot(1), &SHARE).unwrap();
        let cpu = root.path().join("cpu,cpuacct/aipress-1");
        assert_eq!(read(cpu.join("cpu.shares")), "4096");
        assert_eq!(read(cpu.join("slot-01/cpu.shares")), "2048");
        assert_eq!(read(cpu.join("slot-01/cpu.cfs_quota_us")), "150000");
        assert_eq!(read(root.path().join("pids/aipress-1/slot-01/pids.max")), "64");
        groups.put_master(5).unwrap();
        assert_eq!(groups.starting().unwrap(), [5]);
        assert_eq!(version(root.path()), Some(1));
    }

    #[test]
    fn a_machine_without_controllers_has_none() {
        let root = tempfile::tempdir().unwrap();
        let groups = Groups::open(root.path(), "aipress-1", 2);
        assert_eq!(version(root.path()), None);
        assert_eq!(groups.controls(), ShareControls::default());
        assert_eq!(groups.is_busy(slot(1)), None);
        assert!(groups.starting().unwrap().is_empty());
        groups.set(slot(1), &SHARE).unwrap();
        remove(root.path(), "aipress-1").unwrap();
    }
}
