//! The form of a server-sent event (WHATWG HTML, section 9.2).

use bytes::Bytes;

/// One event; `data` is a single line. Without data only the last id moves on.
pub fn frame(id: Option<&str>, name: Option<&str>, data: Option<&str>) -> Bytes {
    let mut text = String::new();
    for (field, value) in [("id", id), ("event", name), ("data", data)] {
        if let Some(value) = value {
            text.push_str(field);
            text.push_str(": ");
            text.push_str(value);
            text.push('\n');
        }
    }
    text.push('\n');
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_lines_and_an_empty_one() {
        let whole = frame(Some("4"), Some("step"), Some("{}"));
        assert_eq!(whole.as_ref(), b"id: 4\nevent: step\ndata: {}\n\n");
        assert_eq!(frame(Some("4"), None, None).as_ref(), b"id: 4\n\n");
    }
}
