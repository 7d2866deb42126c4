//! Every verb has words that are true: examples that parse, in lines that fit.

use clap::Command;
use clap::CommandFactory;
use clap::Parser;

use super::Args;
use crate::man::is_for_people;

/// Narrowest terminal that help is written for, in columns.
const NARROW: usize = 80;

/// Calls `look` with every verb that people type, and its name.
fn walk(command: &Command, look: &mut impl FnMut(&str, &Command)) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    look(&name, command);
    for verb in command.get_subcommands().filter(|verb| is_for_people(verb)) {
        walk(verb, look);
    }
}

fn built() -> Command {
    let mut command = Args::command();
    command.build();
    command
}

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

/// The lines below `Examples:`.
fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines.take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

/// What a shell would call `aipress` with, for each call of it in a line.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), inside) => word.get_or_insert_default().push(inside),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ' | '|' | '&' | ';' | '(' | ')' | '<' | '>') => {
                if let Some(word) = word.take() {
                    calls.last_mut().unwrap().push(word);
                }
                match character {
                    ' ' => {}
                    // The file's name is no argument.
                    '<' | '>' if characters.peek() != Some(&'(') => {
                        while characters.next_if_eq(&' ').is_some() {}
                        while characters.next_if(|c| !c.is_whitespace()).is_some() {}
                    }
                    _ => calls.push(Vec::new()),
                }
            }
            (None, plain) => word.get_or_insert_default().push(plain),
        }
    }
    assert_eq!(quote, None, "an open quote in {line}");
    calls.last_mut().unwrap().extend(word);
    calls.retain(|call| call.first().is_some_and(|first| first == "aipress"));
    calls
}

#[test]
fn calls_are_found_as_a_shell_does() {
    assert_eq!(calls(r#"aipress a "b c" 'd' | jq x"#), [["aipress", "a", "b c", "d"]]);
    assert_eq!(calls("source <(aipress a) # b"), [["aipress", "a"]]);
    assert_eq!(calls("aipress a > f.txt b"), [["aipress", "a", "b"]]);
    assert_eq!(calls("aipress a && aipress b"), [["aipress", "a"], ["aipress", "b"]]);
    assert!(calls("cat x | less").is_empty());
}

#[test]
fn every_verb_has_examples_and_each_parses_as_that_verb() {
    let mut wrong = Vec::new();
    walk(&built(), &mut |name, command| {
        let examples = examples(command);
        if examples.is_empty() {
            wrong.push(format!("{name}: no examples (see args/examples.rs)"));
        }
        for example in examples {
            let calls = calls(&example);
            if !calls.iter().any(|call| is_of(name, call)) {
                wrong.push(format!("{name}: `{example}` does not call it"));
            }
            for call in calls {
                if let Err(error) = Args::try_parse_from(&call) {
                    wrong.push(format!("{name}: `{example}`: {error}"));
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the words of `name` are in `call`, in that order.
fn is_of(name: &str, call: &[String]) -> bool {
    let mut words = call.iter();
    name.split(' ').all(|part| words.any(|word| word == part))
}

#[test]
fn help_fits_a_narrow_terminal() {
    let mut wrong = Vec::new();
    walk(&built(), &mut |name, command| {
        for example in examples(command) {
            // Wrapped, it could not be copied.
            if example.chars().count() + 2 > NARROW {
                wrong.push(format!("{name}: example too wide: {example}"));
            }
        }
        let mut command = command.clone().term_width(NARROW);
        let help = command.render_long_help().to_string();
        for line in help.lines().filter(|line| line.chars().count() > NARROW) {
            wrong.push(format!("{name}: line too wide: {line}"));
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if about.is_empty() || about.chars().count() > 78 {
            wrong.push(format!("{name}: what it does, in at most 78 characters: `{about}`"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_verb_that_is_almost_right_is_named() {
    for (words, meant) in [
        (vec!["aipress", "tennant", "list"], "tenant"),
        (vec!["aipress", "tenant", "crate", "x"], "create"),
        (vec!["aipress", "tenant", "list", "--stat", "active"], "--state"),
    ] {
        let error = Args::try_parse_from(words).unwrap_err().to_string();
        assert!(error.contains(meant) && error.contains("similar"), "{error}");
    }
}
