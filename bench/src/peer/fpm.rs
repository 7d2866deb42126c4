//! The peer's php-fpm: with the settings of a site's pool, or as the distribution ships it.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use super::server::Server;
use super::site::Site;
use crate::cores::Cores;

/// User of Debian's own pool.
const STOCK_USER: &str = "www-data";

/// Where php-fpm reads its settings.
pub(crate) struct Settings {
    conf: PathBuf,
    /// `None`: the distribution's.
    ini: Option<PathBuf>,
    pub(crate) socket: PathBuf,
}

/// The settings of the site's own pool, its php.ini included. Only how workers are started
/// differs: all at once and for good, as a host of one site has them.
pub(crate) fn same_settings(site: &Site, workers: u32, dir: &Path) -> anyhow::Result<Settings> {
    let path = site.shard_dir.join("php/php-fpm.conf");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let pool = pool_section(&text, site.slot)
        .with_context(|| format!("{} has no pool of slot {}", path.display(), site.slot))?;
    let kept: Vec<&str> = pool
        .lines()
        .filter(|line| !line.starts_with("listen") && !line.starts_with("pm"))
        .collect();
    let ini = site.shard_dir.join("php/php.ini");
    write(dir, &kept.join("\n"), workers, Some(ini))
}

/// Debian's settings, but for as many workers as the platform gives the site.
pub(crate) fn stock_settings(workers: u32, dir: &Path) -> anyhow::Result<Settings> {
    let owner = if rustix::process::geteuid().is_root() {
        format!("user={STOCK_USER}\ngroup={STOCK_USER}\n")
    } else {
        String::new()
    };
    write(dir, &owner, workers, None)
}

fn write(dir: &Path, pool: &str, workers: u32, ini: Option<PathBuf>) -> anyhow::Result<Settings> {
    let (conf, socket) = (dir.join("php-fpm.conf"), dir.join("php-fpm.sock"));
    let text = format!(
        "[global]\nerror_log={dir}/php-fpm-error.log\ndaemonize=no\n\n[peer]\n{pool}\n\
         listen={socket}\nlisten.mode=0666\nlisten.backlog=511\npm=static\n\
         pm.max_children={workers}\n",
        dir = dir.display(),
        socket = socket.display(),
    );
    std::fs::write(&conf, text)?;
    Ok(Settings { conf, ini, socket })
}

/// The lines of a slot's pool, without its header `[<shard>-<slot>-<folder>]`.
fn pool_section(conf: &str, slot: u32) -> Option<&str> {
    let name = format!("-{slot:02}-");
    let is_header = |line: &str| line.starts_with('[') && line.contains(&name);
    let header = conf.lines().find(|line| is_header(line))?;
    let rest = conf.split_once(header)?.1;
    Some(rest.split_once("\n[").map_or(rest, |(section, _)| section))
}

/// Starts it.
pub(crate) async fn start(
    binary: &Path,
    settings: &Settings,
    cores: Cores,
    dir: &Path,
) -> anyhow::Result<Server> {
    let mut command = cores.command(binary);
    command.args(["--nodaemonize", "--fpm-config"]).arg(&settings.conf);
    command.env("LC_ALL", "C.UTF-8");
    if let Some(ini) = &settings.ini {
        command.arg("--php-ini").arg(ini).env("PHP_INI_SCAN_DIR", "");
    }
    let socket = settings.socket.clone();
    Server::start("php-fpm", command, dir, move || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_found_by_its_slot() {
        let conf = "[global]\npid=x\n\n[shard-001-01-ab]\na=1\n\n[shard-001-02-ab]\na=2\n";
        assert_eq!(pool_section(conf, 1), Some("\na=1\n"));
        assert_eq!(pool_section(conf, 2), Some("\na=2\n"));
        assert_eq!(pool_section(conf, 3), None);
    }
}
