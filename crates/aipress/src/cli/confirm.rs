//! Asks to type a name before something is taken away.

use std::io::BufRead;
use std::io::IsTerminal;

use crate::exit::Failure;
use crate::output;

/// Goes on when `yes`, or when a person types `name`.
///
/// # Errors
/// [`Failure::Declined`] when the person did not, or when nobody is there.
pub(super) fn type_name(name: &str, what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Declined(format!(
            "nobody is there to ask; --yes {what} without asking"
        )));
    }
    output::put(&format!("This {what}.\nType `{name}` to go on: "));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == name {
        return Ok(());
    }
    Err(Failure::Declined("not the name; nothing is changed".to_owned()))
}
