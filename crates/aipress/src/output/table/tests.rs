//! Widths, cuts and what can't be printed.

use super::*;

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
}

#[test]
fn columns_are_as_wide_as_they_must_be() {
    let rows = rows(&[&["ä", "x"], &["long name", ""]]);
    assert_eq!(columns(&["NAME", "B"], &rows), "NAME       B\nä          x\nlong name\n");
}

#[test]
fn wide_characters_take_two_columns() {
    let rows = rows(&[&["東京", "x"], &["abcd", "y"]]);
    assert_eq!(columns(&["N", "B"], &rows), "N     B\n東京  x\nabcd  y\n");
    assert_eq!(cut("東京都", 5), "東京…");
    assert_eq!(cut("東京都", 4), "東…");
}

#[test]
fn a_terminal_cuts_the_widest_columns_and_the_name_last() {
    let look = Look { width: Some(40), ..Look::default() };
    let rows =
        rows(&[&["bakery-of-the-town", "http://bakery-of-the-town.localhost:8080", "active"]]);
    let text = laid_out(&look, &["NAME", "URL", "STATE"], &rows);
    assert_eq!(
        text,
        "NAME                URL           STATE\nbakery-of-the-town  http://bake…  active\n"
    );
    assert!(text.lines().all(|line| line.width() <= 40), "{text}");
    let tiny = Look { width: Some(10), ..Look::default() };
    assert!(laid_out(&tiny, &["NAME", "URL", "STATE"], &rows).contains("bakery-…"));
    let wide = Look { width: Some(10), wide: true, ..Look::default() };
    assert!(laid_out(&wide, &["NAME", "URL", "STATE"], &rows).contains("localhost:8080  active"));
    let no_terminal = Look::default();
    assert!(!laid_out(&no_terminal, &["NAME", "URL", "STATE"], &rows).contains('…'));
}

#[test]
fn columns_can_be_chosen() {
    let asked = |names: &[&str]| Look {
        columns: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Look::default()
    };
    let rows = rows(&[&["bakery", "8.2", "active"]]);
    let headings = ["NAME", "NEEDS PHP", "STATE"];
    let text = laid_out(&asked(&["state", "needs-php"]), &headings, &rows);
    assert_eq!(text, "STATE   NEEDS PHP\nactive  8.2\n");
    assert_eq!(laid_out(&asked(&["colour"]), &headings, &rows), "");
    let complaint = complaint().unwrap();
    assert!(complaint.contains("`colour`") && complaint.contains("name, needs-php, state"));
}

#[test]
fn nothing_moves_the_cursor() {
    let rows = rows(&[&["a\x1b[2Jb", "c\nd\u{9b}e"]]);
    let text = columns(&["A", "B"], &rows);
    assert_eq!(text, "A       B\na\u{fffd}[2Jb  c d\u{fffd}e\n");
    assert_eq!(fields(&[("Title", "x\x1by".to_owned())]), "Title  x\u{fffd}y\n");
}

#[test]
fn states_have_colours() {
    let look = Look { color: true, ..Look::default() };
    let text = laid_out(&look, &["NAME", "STATE"], &rows(&[&["active", "failed"]]));
    assert!(text.contains("active  \x1b[31mfailed\x1b[0m"), "{text:?}");
}
