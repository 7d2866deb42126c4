//! `--dry-run` of what happens on this machine and not by the API: what would be done is said, and
//! nothing is done. Deliberately absent: a hash, for nobody else could apply it.

use std::path::Path;
use std::time::Duration;

use aipress_supervise::Holder;
use aipress_supervise::control;
use serde::Serialize;

use crate::args::CoreVerb;
use crate::args::Output;
use crate::args::Up;
use crate::args::Verb;
use crate::core;
use crate::data;
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;

/// The supervisor answers at once, or is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// What would be done.
#[derive(Debug, Serialize)]
struct Foreseen {
    summary: String,
    steps: Vec<String>,
    #[serde(rename = "mayBreak")]
    may_break: Vec<String>,
    undo: String,
}

/// Says what a verb would do here; `false` for a verb that changes nothing here.
pub(crate) async fn tell(
    data: Option<&Path>,
    verb: &Verb,
    output: Output,
) -> Result<bool, Failure> {
    let foreseen = match verb {
        Verb::Up(args) => up(data, args)?,
        Verb::Down => down(data).await?,
        Verb::CleanData(_) => clean_data(data)?,
        Verb::Core(CoreVerb::Fetch { version }) => fetch(data, version.as_deref())?,
        Verb::Man(args) => match &args.dir {
            Some(dir) => Foreseen {
                summary: format!("write the man pages into {}", dir.display()),
                steps: vec!["make the folder".to_owned(), "write a page for each verb".to_owned()],
                may_break: vec!["pages of the same names are replaced".to_owned()],
                undo: "remove the pages".to_owned(),
            },
            None => return Ok(false),
        },
        Verb::Role(_) => {
            return Err(Failure::Usage("--dry-run: a role has none".to_owned()));
        }
        _ => return Ok(false),
    };
    output::print(output, &foreseen, text)?;
    Ok(true)
}

fn text(foreseen: &Foreseen) -> String {
    let mut text = format!("{}\n", foreseen.summary);
    if foreseen.steps.is_empty() {
        return text;
    }
    text.push_str(&format!("  steps: {}\n", foreseen.steps.join(", ")));
    for risk in &foreseen.may_break {
        text.push_str(&format!("  may break: {risk}\n"));
    }
    text.push_str(&format!("  undo: {}\n", foreseen.undo));
    text.push_str("Nothing is done yet: the same command without --dry-run does it.\n");
    text
}

fn nothing(summary: String) -> Foreseen {
    Foreseen { summary, steps: Vec::new(), may_break: Vec::new(), undo: "nothing".to_owned() }
}

fn up(data: Option<&Path>, args: &Up) -> Result<Foreseen, Failure> {
    let paths = data::paths(data)?;
    let root = paths.root().display();
    if let Some(holder) = Holder::of(&paths.run()) {
        let pid = holder.pid();
        return Ok(nothing(format!("the platform of {root} is started already, by process {pid}")));
    }
    let existing = paths.config().exists();
    let settings = Settings::load(&paths)?.told(args, existing).map_err(Failure::Usage)?;
    let (shards, listen) = (settings.shards, settings.listen);
    let mut steps = Vec::new();
    if !existing {
        steps.push(format!("make the data folder {root} with its settings and keys"));
    }
    let version = args.wordpress.as_deref().or(settings.wordpress.as_deref());
    let wanted = version.unwrap_or("the newest stable one");
    let cores = core::store(&paths).list().unwrap_or_default();
    if cores.is_empty() || args.wordpress.is_some() {
        steps.push(format!("fetch WordPress ({wanted}) unless it is here"));
    }
    steps.push("start meta and the edge".to_owned());
    steps.push(format!("start {shards} shards, each with MariaDB, Redis, php-fpm and a gateway"));
    if !args.no_hello && !existing {
        steps.push("make the first site, `hello`".to_owned());
    }
    Ok(Foreseen {
        summary: format!("start the platform of {root} on {listen}"),
        steps,
        may_break: Vec::new(),
        undo: "`aipress down`; `aipress clean-data` removes the data, too".to_owned(),
    })
}

async fn down(data: Option<&Path>) -> Result<Foreseen, Failure> {
    let paths = data::paths(data)?;
    let root = paths.root().display();
    let Ok(snapshot) = control::status(&paths.run(), PATIENCE).await else {
        return Ok(match Holder::of(&paths.run()) {
            Some(holder) => Foreseen {
                summary: format!("stop the platform of {root}, which is only just starting"),
                steps: vec![format!("end process {}", holder.pid())],
                may_break: Vec::new(),
                undo: "`aipress up --detach`".to_owned(),
            },
            None => nothing(format!("the platform of {root} is not running")),
        });
    };
    let units: Vec<String> =
        snapshot.units.iter().filter(|unit| !unit.is_idle()).map(|u| u.name.clone()).collect();
    Ok(Foreseen {
        summary: format!("stop the platform of {root}; its data stays"),
        steps: units.iter().rev().map(|name| format!("stop {name}")).collect(),
        may_break: vec!["no site of this machine is served until it is started again".to_owned()],
        undo: "`aipress up --detach`".to_owned(),
    })
}

fn clean_data(data: Option<&Path>) -> Result<Foreseen, Failure> {
    let paths = data::paths(data)?;
    let root = paths.root().display();
    if !paths.root().exists() {
        return Ok(nothing(format!("there is no data in {root}")));
    }
    if !paths.config().is_file() {
        return Err(Failure::Usage(format!(
            "{root} does not look like a data folder of aipress; nothing would be removed"
        )));
    }
    if let Some(holder) = Holder::of(&paths.run()) {
        let pid = holder.pid();
        return Err(Failure::Failed(anyhow::anyhow!(
            "the platform of {root} runs (process {pid}); `aipress down` stops it"
        )));
    }
    Ok(Foreseen {
        summary: format!("remove {root}"),
        steps: vec![format!("ask to type {root}"), "remove the folder".to_owned()],
        may_break: vec!["all sites, databases, files and keys in it are gone".to_owned()],
        undo: "it can't be undone".to_owned(),
    })
}

fn fetch(data: Option<&Path>, version: Option<&str>) -> Result<Foreseen, Failure> {
    let paths = data::paths(data)?;
    let wanted = version.unwrap_or("default");
    wanted.parse::<aipress_cores::Wanted>().map_err(|error| Failure::Usage(format!("{error}")))?;
    let here = core::store(&paths).list().unwrap_or_default();
    let exact = here.iter().find(|core| core.manifest.version.to_string() == wanted);
    if let Some(core) = exact {
        return Ok(nothing(format!("WordPress {wanted} is in {} already", core.dir.display())));
    }
    let which = version.unwrap_or("the newest stable version");
    let folder = paths.cores().join("wordpress");
    Ok(Foreseen {
        summary: format!("get WordPress, {which}, into {}", folder.display()),
        steps: [
            "find the version",
            "download the archive unless it is here",
            "verify it",
            "unpack",
        ]
        .map(str::to_owned)
        .into(),
        may_break: Vec::new(),
        undo: "remove its folder; no site may run it".to_owned(),
    })
}
