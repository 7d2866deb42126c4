//! Whether something printed is what a document shows.

/// What of `shown` is not so in `printed`: its lines in order, digits for any digits, `…` for anything
/// within a line, a line of `…` for any lines. Colours and blanks at the end of a line don't count.
pub(super) fn difference(shown: &str, printed: &str) -> Option<String> {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    (!fits(&shown, &printed)).then(|| {
        format!("the document shows\n{}\nand it prints\n{}", shown.join("\n"), printed.join("\n"))
    })
}

fn fits(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        (Some((first, rest)), Some((line, after))) => same(first, line) && fits(rest, after),
        _ => false,
    }
}

fn same(shown: &str, line: &str) -> bool {
    let (shown, line) = (plain(shown), plain(line));
    let mut pieces = shown.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// With `0` for each run of digits, and one blank for each run of them: columns are as wide as what is
/// in them.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        let character = if character.is_ascii_digit() { '0' } else { character };
        if !(matches!(character, '0' | ' ') && plain.ends_with(character)) {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn what_may_differ_and_what_may_not() {
    let fits = |shown: &str, printed: &str| difference(shown, printed).is_none();
    assert!(fits("made in 12 ms", "made in 7 ms\n"));
    assert!(fits("NAME  AGE\na…z  1s", "NAME    AGE\nabcz    12s"));
    assert!(fits("a\n…\nd", "a\nb\nc\nd"));
    assert!(fits("a\n…", "a"));
    assert!(!fits("a\nb", "a"));
    assert!(!fits("a", "a\nb"));
    assert!(!fits("made in 12 ms", "made in 12 s"));
    assert!(!fits("a…z", "abc"));
}
