//! The blocks of a page, typed at a platform.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::process::Stdio;

use aipress_testkit::Platform;

use super::blocks::Block;
use super::blocks::Use;
use super::output::difference;

/// Longest that the commands of one page may take, in seconds.
const PAGE_SECONDS: &str = "600";
/// What the documents say where a reader's platform is, and the address that its sites have.
const DATA: &str = "/var/lib/aipress";
const ADDRESS: &str = "localhost:8080";
/// Sites of one page are not there for the next.
const CLEAN_UP: &str = "names() { aipress tenant list -o name | grep -vx hello; }
# A page may end while a change of its own is under way.
for _ in $(seq 60); do
  [ -n \"$(names)\" ] || exit 0
  for site in $(names); do
    (aipress tenant delete \"$site\" --yes; aipress tenant erase \"$site\" --yes) &
  done
  wait
done
exit 1
";

/// One script of all the blocks of a page that are to be run: each writes what it prints into a file
/// `out-N`.
fn script(blocks: &[Block]) -> Option<String> {
    let mut script = String::from("set -euo pipefail\n");
    let mut any = false;
    for (number, block) in blocks.iter().enumerate() {
        let Ok(Use::Run(code)) = block.usage() else { continue };
        any = true;
        let (place, text, out) = (&block.place, &block.text, format!("\"$out/out-{number}\""));
        script.push_str(&format!("echo '--- {place}' >&2\n"));
        match code {
            0 => script.push_str(&format!("{{\n{text}}} > {out} 2>&1\n")),
            code => script.push_str(&format!(
                "set +e\n(\nset -e\n{text}) > {out} 2>&1\n[ $? = {code} ] || exit 99\nset -e\n"
            )),
        }
    }
    any.then_some(script)
}

/// Types the blocks of a page; `false` when there are none.
///
/// # Errors
/// When one ends otherwise than it says, or prints something else than the page shows.
pub(super) async fn page(
    platform: &Platform,
    page: &str,
    blocks: &[Block],
) -> Result<bool, String> {
    let Some(script) = script(blocks) else { return Ok(false) };
    let folder = platform.home().join(page.replace('/', "-"));
    let (work, out) = (folder.join("work"), folder.join("out"));
    fs::create_dir_all(&work).unwrap();
    fs::create_dir_all(&out).unwrap();
    let ended = bash(platform, &here(platform, &script), &work, &out).await;
    let printed = |number: usize| fs::read_to_string(out.join(format!("out-{number}"))).ok();
    if !ended.status.success() {
        return Err(format!(
            "{page} ({}):\n{}\n{}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr),
            (0..blocks.len()).rev().find_map(printed).unwrap_or_default(),
        ));
    }
    for (number, block) in blocks.iter().enumerate() {
        let in_order = match block.usage() {
            Ok(Use::Output) => true,
            Ok(Use::OutputInAnyOrder) => false,
            _ => continue,
        };
        let before = number.checked_sub(1).and_then(printed);
        let before = before.unwrap_or_else(|| panic!("{}: after what runs", block.place));
        let lines = |text: &str| if in_order { text.to_owned() } else { sorted(text) };
        if let Some(difference) = difference(&lines(&here(platform, &block.text)), &lines(&before))
        {
            return Err(format!("{}: {difference}", block.place));
        }
    }
    Ok(true)
}

/// Takes away what sites a page made.
///
/// # Panics
/// When that does not work.
pub(super) async fn clean_up(platform: &Platform) {
    let ended = bash(platform, CLEAN_UP, &platform.home(), &platform.home()).await;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// With this platform's folder and port in the place of a reader's.
pub(super) fn here(platform: &Platform, text: &str) -> String {
    let port = platform.address().port();
    text.replace(DATA, &platform.data().display().to_string())
        .replace(ADDRESS, &format!("localhost:{port}"))
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

pub(super) async fn bash(platform: &Platform, script: &str, work: &Path, out: &Path) -> Output {
    let token = fs::read_to_string(platform.path("meta/admin-token")).unwrap();
    let mut bash = tokio::process::Command::new("timeout");
    bash.args(["--kill-after=5", PAGE_SECONDS, "bash", "-c", script])
        .current_dir(work)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .env("out", out)
        .env("PATH", platform.search_path())
        .env("HOME", platform.home())
        .env("XDG_CONFIG_HOME", platform.home().join(".config"))
        .env("AIPRESS_DATA", platform.data())
        .env("api", format!("http://console.localhost:{}/v1", platform.address().port()))
        .env("auth", format!("Authorization: Bearer {}", token.trim()));
    for variable in ["AIPRESS_SERVER", "AIPRESS_TOKEN", "AIPRESS_TOKEN_FILE", "AIPRESS_CONTEXT"] {
        bash.env_remove(variable);
    }
    bash.output().await.unwrap()
}
