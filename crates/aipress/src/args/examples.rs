//! The last part of each `--help`: lines that can be typed as they are. A test of `args` parses each
//! of them with the real parser.

/// `examples!["aipress down"]`: for `#[command(after_help = …)]`. A line has 78 characters at most.
macro_rules! examples {
    ($($line:literal),+ $(,)?) => { concat!("Examples:", $("\n  ", $line),+) };
}
