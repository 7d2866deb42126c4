//! The highest resident size of processes, as the kernel keeps it (`VmHWM`, proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use crate::platform::Platform;
use crate::platform::kind;

/// Units whose memory is ours to bound.
const OURS: &[&str] = &["edge", "meta", "shard", "gateway"];
/// Between two looks at a command: the last one before its end is what counts, and the peak only
/// ever grows.
const LOOK: Duration = Duration::from_millis(20);

/// The platform's processes, their peaks begun anew.
pub(super) struct Peaks {
    pids: Vec<(String, u32)>,
}

impl Peaks {
    /// Forgets the peaks so far.
    pub(super) async fn begin(platform: &Platform) -> anyhow::Result<Self> {
        let mut pids = Vec::new();
        for unit in platform.snapshot().await?.units {
            let (Some(pid), kind) = (unit.pid, kind(&unit.name)) else { continue };
            if OURS.contains(&kind.as_str()) {
                // "5" resets the peak (proc(5), clear_refs).
                fs::write(format!("/proc/{pid}/clear_refs"), "5").context("forget a peak")?;
                pids.push((kind, pid));
            }
        }
        Ok(Self { pids })
    }

    /// The peaks since, in MB: the highest of each kind.
    pub(super) fn end(self) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for (kind, pid) in self.pids {
            let mb = peak(pid).with_context(|| format!("{kind} ended meanwhile"))?;
            let most = found.entry(kind).or_default();
            *most = most.max(mb);
        }
        Ok(found)
    }
}

/// Runs a command to its good end; its peak in MB.
pub(super) async fn of_command(mut command: Command) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let pid = child.id().context("a command without a process")?;
    let mut most = 0.0_f64;
    loop {
        most = most.max(peak(pid).unwrap_or(0.0));
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "it ended with {status}");
            return Ok(most);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn peak(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
