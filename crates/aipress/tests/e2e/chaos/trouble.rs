//! What goes wrong: processes die or stand still, roles die at their worst points, the disk fills.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use aipress_testkit::Platform;
use aipress_testkit::end_process;
use aipress_testkit::hold_process;
use aipress_testkit::release_process;

use super::dice::Dice;
use super::points;

/// How long MariaDB is not killed after the disk was full. InnoDB of MariaDB 10.11 can't always recover
/// from a `CREATE TABLE` that met a full disk when it is killed before its next checkpoint (`Missing
/// FILE_CREATE …`; seed 8 met that), and no way around it is known but a copy of the data.
const CHECKPOINT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Kill,
    Hold,
    Point,
    FullDisk,
    Supervisor,
}

/// Makes trouble.
pub(super) struct Trouble {
    platform: Arc<Platform>,
    dice: Dice,
    points: Vec<String>,
    /// When the disk was full last.
    full: Option<Instant>,
}

impl Trouble {
    pub(super) fn new(platform: Arc<Platform>, dice: Dice) -> Self {
        Self { platform, dice, points: points::all(), full: None }
    }

    /// Makes trouble for so long, then none; gives how often what went wrong.
    pub(super) async fn make(&mut self, long: Duration) -> BTreeMap<String, u32> {
        let end = Instant::now() + long;
        let mut made = BTreeMap::new();
        while Instant::now() < end {
            let pause = 500 + self.dice.below(3_000) as u64;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let kind = self.dice.one_of(&[
                (12, Kind::Kill),
                (4, Kind::Hold),
                (8, Kind::Point),
                (4, Kind::FullDisk),
                (1, Kind::Supervisor),
            ]);
            let what = self.once(kind).await;
            println!("{:>6} ms left: {what}", (end - Instant::now().min(end)).as_millis());
            *made.entry(what).or_insert(0) += 1;
        }
        self.platform.free_disk();
        made
    }

    async fn once(&mut self, kind: Kind) -> String {
        let was_full = self.full.is_some_and(|full| full.elapsed() < CHECKPOINT);
        match kind {
            Kind::Supervisor if was_full => "spared the supervisor".to_owned(),
            Kind::Kill => match self.unit().await {
                Some((name, _)) if was_full && name.ends_with("-mariadb") => {
                    format!("spared {name}")
                }
                Some((name, pid)) => {
                    end_process(pid);
                    format!("killed {name}")
                }
                None => "nothing runs".to_owned(),
            },
            Kind::Hold => match self.unit().await {
                Some((name, pid)) => {
                    hold_process(pid);
                    let long = 200 + self.dice.below(3_000) as u64;
                    tokio::time::sleep(Duration::from_millis(long)).await;
                    release_process(pid);
                    format!("held {name}")
                }
                None => "nothing runs".to_owned(),
            },
            Kind::Point => {
                let point = &self.points[self.dice.below(self.points.len())];
                self.platform.kill_at(point);
                format!("killed at {point}")
            }
            Kind::FullDisk => {
                let long = 300 + self.dice.below(4_000) as u64;
                let but_kib = self.dice.one_of(&[(2, 0), (1, 64), (1, 2_048)]);
                let end = Instant::now() + Duration::from_millis(long);
                // What is freed meanwhile is taken again.
                while Instant::now() < end {
                    self.platform.fill_disk(but_kib);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                self.platform.free_disk();
                self.full = Some(Instant::now());
                "filled the disk".to_owned()
            }
            Kind::Supervisor => {
                let status = self.platform.cli(&["status", "-o", "json"]).await;
                let pid = serde_json::from_str::<serde_json::Value>(&status.out)
                    .ok()
                    .and_then(|status| status["pid"].as_i64())
                    .and_then(|pid| i32::try_from(pid).ok());
                if let Some(pid) = pid {
                    end_process(pid);
                }
                // Nobody starts the supervisor but an init system, which this stands for.
                self.platform.up().await.good();
                "killed the supervisor".to_owned()
            }
        }
    }

    /// A unit that runs, and its process.
    async fn unit(&mut self) -> Option<(String, i32)> {
        let told = self.platform.cli(&["status", "-o", "json"]).await;
        if told.code != 0 && told.out.is_empty() {
            return None;
        }
        let units = self.platform.units().await;
        let running: Vec<(String, i32)> =
            units.into_iter().filter_map(|unit| Some((unit.name, unit.pid?))).collect();
        let at = self.dice.below(running.len().max(1));
        running.into_iter().nth(at)
    }
}
