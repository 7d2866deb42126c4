//! What tests that were killed left: processes, disks, rules of nftables, folders.

use std::fs;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use aipress_drivers::DataPaths;
use aipress_drivers::local::firewall::Firewall;

use crate::disk;
use crate::ids;
use crate::platform::DISK;
use crate::platform::IN_USE;
use crate::platform::PREFIX;
use crate::processes;
use crate::processes::Process;

/// Ends what is left until nothing is.
pub(crate) fn end_all(left: impl Fn() -> Vec<Process>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = left();
        if processes.is_empty() || Instant::now() > deadline {
            return;
        }
        processes.iter().for_each(|process| processes::end_process(process.pid));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends and removes platforms of tests that were killed before they could do so themselves.
pub(crate) fn remove() {
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name().display().to_string();
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        let held = |file: &File| file.try_lock().is_err();
        if File::open(entry.path().join(IN_USE)).as_ref().is_ok_and(held) {
            continue;
        }
        let ids = ids::of_process(pid);
        end_all(|| processes::of_platform(&entry.path(), &ids));
        for data in [entry.path().join("data"), entry.path().join(DISK).join("data")] {
            forget_rules(&data);
        }
        disk::unmount(&entry.path(), &entry.path().join(DISK));
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Takes the rules away that a platform's supervisor would have taken away at its end.
fn forget_rules(data: &Path) {
    let Ok(paths) = DataPaths::new(data) else { return };
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    // Without nftables, or without rights to it, there are none.
    let _ = Firewall::new(&paths, Vec::new(), nowhere, Vec::new()).remove();
}
