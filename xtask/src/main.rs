//! Chores of this repository: `tidy` (rules that no compiler checks) and
//! `generate` (files made from code and checked in).

mod generate;
mod layers;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p xtask -- tidy | generate [--check]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["generate"] => generate::run(false),
        ["generate", "--check"] => generate::run(true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            findings.iter().for_each(|finding| eprintln!("{finding}"));
            eprintln!(
                "{} {}",
                findings.len(),
                if findings.len() == 1 { "finding" } else { "findings" }
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
