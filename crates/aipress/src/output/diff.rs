//! Two texts side by side, as `diff -u` shows them. Documents are short: what differs is found by
//! the plain table of longest common parts.

use super::Look;

/// Lines of one text at most for which the least difference is looked for.
const LINES_MAX: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// The difference with `around` lines of what is the same; empty when there is none.
pub(crate) fn diff(from: &str, to: &str, old: &str, new: &str, around: usize) -> String {
    let (red, green, dim, off) = match Look::get().color {
        true => ("\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"),
        false => ("", "", "", ""),
    };
    let lines = lines(old, new);
    let changed: Vec<usize> =
        (0..lines.len()).filter(|at| !matches!(lines.get(*at), Some(Line::Both(_)))).collect();
    if changed.is_empty() {
        return String::new();
    }
    let near = |at: usize| {
        let next = changed.partition_point(|changed| *changed < at);
        let after = changed.get(next).is_some_and(|changed| changed - at <= around);
        let before = next.checked_sub(1).and_then(|last| changed.get(last));
        after || before.is_some_and(|changed| at - changed <= around)
    };
    let mut text = format!("{red}--- {from}{off}\n{green}+++ {to}{off}\n");
    let (mut old_at, mut new_at, mut open) = (1, 1, false);
    for (at, line) in lines.iter().enumerate() {
        if !near(at) {
            open = false;
        } else {
            if !open {
                text.push_str(&format!("{dim}@@ -{old_at} +{new_at} @@{off}\n"));
                open = true;
            }
            text.push_str(&match line {
                Line::Both(line) => format!(" {line}\n"),
                Line::Old(line) => format!("{red}-{line}{off}\n"),
                Line::New(line) => format!("{green}+{line}{off}\n"),
            });
        }
        old_at += usize::from(!matches!(line, Line::New(_)));
        new_at += usize::from(!matches!(line, Line::Old(_)));
    }
    text
}

fn lines<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len() > LINES_MAX || new.len() > LINES_MAX {
        let gone = old.into_iter().map(Line::Old);
        return gone.chain(new.into_iter().map(Line::New)).collect();
    }
    // common[i][j]: most lines that old[i..] and new[j..] have in common, in order.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Both(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_with_what_is_around() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        let new = "a\nb\nc\nd\nE\nf\ng\nh\n";
        let text = diff("x", "y", old, new, 1);
        assert_eq!(text, "--- x\n+++ y\n@@ -4 +4 @@\n d\n-e\n+E\n f\n g\n+h\n");
        assert_eq!(diff("x", "y", old, old, 1), "");
        assert_eq!(diff("x", "y", "", "a\n", 3), "--- x\n+++ y\n@@ -1 +1 @@\n+a\n");
    }
}
