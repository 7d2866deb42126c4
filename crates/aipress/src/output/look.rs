//! What the terminal is like, and what was asked of it: decided once, at the start.

use std::io::ErrorKind;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::OnceLock;

use crate::args::Color;

static LOOK: OnceLock<Look> = OnceLock::new();

/// How this process shows things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns of the terminal that results go to; `None` when they go elsewhere.
    pub(super) width: Option<usize>,
    /// Whether results are coloured.
    pub(super) color: bool,
    /// Whether errors and progress are coloured.
    pub(super) error_color: bool,
    /// Whether progress and hints are left out.
    pub(super) quiet: bool,
    /// Whether tables have all they can have and are never cut.
    pub(super) wide: bool,
    /// Columns that were asked for; all when empty.
    pub(super) columns: Vec<String>,
}

impl Look {
    /// What the terminal and the variables say, and what was asked for.
    pub(crate) fn new(color: Color, quiet: bool, wide: bool, columns: Vec<String>) -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let variables = Variables::read();
        Self {
            width: rustix::termios::tcgetwinsize(&out)
                .ok()
                .map(|size| usize::from(size.ws_col))
                .filter(|columns| *columns > 0),
            color: colored(color, &variables, out.is_terminal()),
            error_color: colored(color, &variables, err.is_terminal()),
            quiet,
            wide,
            columns,
        }
    }

    /// Makes it that of this process. Only the first one counts.
    pub(crate) fn install(self) {
        let _ = LOOK.set(self);
    }

    /// That of this process; plain before there is one.
    pub(super) fn get() -> &'static Self {
        static PLAIN: Look = Look {
            width: None,
            color: false,
            error_color: false,
            quiet: false,
            wide: false,
            columns: Vec::new(),
        };
        LOOK.get().unwrap_or(&PLAIN)
    }

    /// Whether tables have all they can have.
    pub(crate) fn is_wide() -> bool {
        Self::get().wide
    }

    /// Whether results are coloured.
    pub(crate) fn is_colored() -> bool {
        Self::get().color
    }

    /// Whether progress and hints are left out.
    pub(crate) fn is_quiet() -> bool {
        Self::get().quiet
    }
}

/// The variables that terminals and programs agreed on.
#[derive(Debug, Default)]
struct Variables {
    no_color: bool,
    force: bool,
    dumb: bool,
}

impl Variables {
    fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            no_color: set("NO_COLOR").is_some(),
            force: set("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: set("TERM").is_some_and(|term| term == "dumb"),
        }
    }
}

fn colored(color: Color, variables: &Variables, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if variables.no_color => false,
        Color::Auto => variables.force || (terminal && !variables.dumb),
    }
}

/// Writes to standard output; a reader that went away (`| head`) is no error. A disk that is full is
/// one: whoever keeps what is said would take half of it for all.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        say_error(&format!("write to standard output: {error}"));
        std::process::exit(1);
    }
}

/// A line of progress or a hint, on standard error; nothing with `--quiet`.
pub(crate) fn note(line: &str) {
    if !Look::is_quiet() {
        tell(line);
    }
}

/// Lines on standard error, whatever was asked for.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(text));
}

/// A part of a line on standard error, as it is. Like all that is told there it is lost when it can't be
/// written (the disk of a log is full): nobody's work ends for that, as it would with `eprint!`.
pub(crate) fn put(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Text that does nothing to a terminal: much of what is told comes from sites, archives and whoever
/// answers. Lines stay lines. Marks that turn the direction of text around would hide what is said.
pub(crate) fn harmless(text: &str) -> String {
    let visible = |character: char| match character {
        '\n' | '\t' => character,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        other => other,
    };
    text.chars().map(visible).collect()
}

/// An error, on standard error.
pub(crate) fn say_error(text: &str) {
    let (on, off) = if Look::get().error_color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(std::io::stderr(), "{on}aipress:{off} {}", harmless(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_does_nothing_to_a_terminal() {
        assert_eq!(harmless("a\n\tb é 日本"), "a\n\tb é 日本");
        assert_eq!(harmless("\x1b[2J\u{9b}1m\r\x07"), "\u{fffd}[2J\u{fffd}1m\u{fffd}\u{fffd}");
        assert_eq!(harmless("a\u{202e}b\u{2066}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_flag_goes_over_variables_and_these_over_the_terminal() {
        let none = Variables::default();
        let no_color = Variables { no_color: true, force: true, ..none };
        let force = Variables { force: true, ..Variables::default() };
        let dumb = Variables { dumb: true, ..Variables::default() };
        let none = Variables::default();
        assert!(colored(Color::Auto, &none, true) && !colored(Color::Auto, &none, false));
        assert!(!colored(Color::Auto, &no_color, true) && colored(Color::Always, &no_color, false));
        assert!(colored(Color::Auto, &force, false) && !colored(Color::Never, &force, true));
        assert!(!colored(Color::Auto, &dumb, true));
    }
}
