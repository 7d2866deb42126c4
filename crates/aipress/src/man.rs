//! `aipress man`: pages for `man`, made from the same words as `--help`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::args::Args;
use crate::args::Man;
use crate::exit::Failure;
use crate::output;
use crate::words;

/// Prints one page, or writes all.
pub(crate) fn run(args: &Man) -> Result<(), Failure> {
    let mut root = Args::command();
    root.build();
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        let pages = write_all(&root, dir)?;
        output::say(&format!("{pages} pages are in {}\n", dir.display()));
        return Ok(());
    }
    let mut command = &root;
    for word in &args.verb {
        command = command.find_subcommand(word).ok_or_else(|| no_verb(command, word))?;
    }
    output::say(&page(command)?);
    Ok(())
}

fn no_verb(command: &Command, word: &str) -> Failure {
    let name = command.get_bin_name().unwrap_or("aipress");
    let verbs = command.get_subcommands().filter(|verb| is_for_people(verb));
    Failure::Usage(match words::closest(word, verbs.map(Command::get_name)) {
        Some(meant) => format!("there is no verb `{name} {word}`: did you mean `{name} {meant}`?"),
        None => format!("there is no verb `{name} {word}`: `{name} --help` lists them"),
    })
}

fn write_all(command: &Command, dir: &Path) -> anyhow::Result<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    fs::write(&path, page(command)?).with_context(|| format!("write {}", path.display()))?;
    let mut pages = 1;
    for verb in command.get_subcommands().filter(|verb| is_for_people(verb)) {
        pages += write_all(verb, dir)?;
    }
    Ok(pages)
}

/// Whether a verb is one that people type; `help` of each noun is not worth a page.
pub(crate) fn is_for_people(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

/// One page in roff.
fn page(command: &Command) -> anyhow::Result<String> {
    // The examples get a section of their own, in which lines stay lines.
    let examples = command.get_after_help().map(ToString::to_string);
    let plain = command.clone().after_help("").disable_help_subcommand(true);
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let source = concat!("AIPress ", env!("CARGO_PKG_VERSION"));
    let title = format!(".TH \"{name}\" \"1\" \"\" \"{source}\" \"AIPress Manual\"\n");
    let man = Page::new(plain);
    let mut text = title.into_bytes();
    man.render_name_section(&mut text)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").split_whitespace().collect::<Vec<_>>();
    text.extend(format!(".SH SYNOPSIS\n{}\n", escaped(&usage.join(" "))).into_bytes());
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(is_for_people) {
        man.render_subcommands_section(&mut text)?;
    }
    let mut text = String::from_utf8(text).context("a page in UTF-8")?;
    if let Some(examples) = examples {
        text.push_str(".SH EXAMPLES\n.nf\n");
        for line in examples.lines().filter(|line| line.trim_end() != "Examples:") {
            text.push_str(&escaped(line.strip_prefix("  ").unwrap_or(line)));
            text.push('\n');
        }
        text.push_str(".fi\n");
    }
    Ok(text)
}

/// A line as roff shows it: no escapes, no request, and hyphens that can be copied.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}
