//! When the first of a site's scheduled events is due: read from its options, without PHP.
//!
//! A tenant may make a view of the name of the table, and the view's functions would run with the
//! rights of whoever reads it. `HANDLER` opens base tables only, and looks at no function.

use aipress_types::TenantUid;
use sqlx::AssertSqlSafe;
use sqlx::MySqlConnection;
use sqlx::Row;

use super::sql_error;
use crate::error::DriverError;
use crate::layout::tenant_handle;

/// Longest list that is read, in bytes: some 20,000 events.
const LIST_MAX: usize = 4 * 1024 * 1024;
/// Arrays within arrays; WordPress has four.
const DEPTH_MAX: usize = 64;
const WHAT: &str = "read scheduled events";

/// Reads.
pub(crate) async fn due(
    session: &mut MySqlConnection,
    uid: TenantUid,
) -> Result<Option<i64>, DriverError> {
    let handle = tenant_handle(uid);
    let open = format!("HANDLER `{handle}`.`wp_options` OPEN AS options");
    super::execute(session, WHAT, &open).await?;
    let read = format!(
        "HANDLER options READ option_name = ('cron') WHERE LENGTH(option_value) <= {LIST_MAX} \
         LIMIT 1"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(read))
        .fetch_optional(session)
        .await
        .map_err(|error| sql_error(WHAT, error))?;
    let value = row.and_then(|row| row.try_get_unchecked::<Vec<u8>, _>("option_value").ok());
    Ok(value.and_then(|value| first_time(&value)))
}

/// The lowest number that is a key of the outermost array and has events: `a:2:{i:1700000000;a:…}`.
fn first_time(text: &[u8]) -> Option<i64> {
    let mut reader = Reader { rest: text };
    reader.take(b"a:")?;
    let count = reader.number(b':')?;
    reader.take(b"{")?;
    let mut first: Option<i64> = None;
    for _ in 0..count {
        let time = match reader.rest.first()? {
            b'i' => {
                reader.take(b"i:")?;
                Some(reader.number(b';')?)
            }
            _ => {
                reader.skip_value()?;
                None
            }
        };
        let is_empty = reader.rest.starts_with(b"a:0:");
        reader.skip_value()?;
        if let Some(time) = time.filter(|_| !is_empty) {
            first = Some(first.map_or(time, |first| first.min(time)));
        }
    }
    first
}

/// Reads what PHP's `serialize()` wrote.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, wanted: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// A decimal number, and what ends it.
    fn number(&mut self, end: u8) -> Option<i64> {
        let length = self.rest.iter().position(|byte| *byte == end)?;
        let (number, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.get(1..)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    /// Leaves out `length` bytes.
    fn skip(&mut self, length: i64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(length).ok()?..)?;
        Some(())
    }

    /// Leaves out a whole value, without recursion: the text is the tenant's.
    fn skip_value(&mut self) -> Option<()> {
        // For each open array or object, how many values are left in it.
        let mut open: Vec<i64> = vec![1];
        while let Some(left) = open.last_mut() {
            if *left == 0 {
                open.pop();
                if !open.is_empty() {
                    self.take(b"}")?;
                }
                continue;
            }
            *left -= 1;
            match *self.rest.first()? {
                b'N' => self.take(b"N;")?,
                b'b' | b'i' | b'd' | b'r' | b'R' => {
                    let end = self.rest.iter().position(|byte| *byte == b';')?;
                    self.rest = self.rest.get(end + 1..)?;
                }
                b's' => {
                    self.take(b"s:")?;
                    let length = self.number(b':')?;
                    self.take(b"\"")?;
                    self.skip(length)?;
                    self.take(b"\";")?;
                }
                b'a' => {
                    self.take(b"a:")?;
                    self.opens(&mut open)?;
                }
                b'O' => {
                    self.take(b"O:")?;
                    let length = self.number(b':')?;
                    self.take(b"\"")?;
                    self.skip(length)?;
                    self.take(b"\":")?;
                    self.opens(&mut open)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn opens(&mut self, open: &mut Vec<i64>) -> Option<()> {
        let count = self.number(b':').filter(|count| *count >= 0)?;
        self.take(b"{")?;
        open.push(count.checked_mul(2)?);
        (open.len() <= DEPTH_MAX).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_found_whatever_stands_around_it() {
        let event = r#"a:1:{s:5:"hook1";a:1:{s:1:"k";a:3:{s:8:"schedule";b:0;s:4:"args";a:2:{i:0;s:7:"};i:1;{";i:1;O:3:"Foo":1:{s:1:"a";d:1.5;}}s:1:"n";N;}}}"#;
        let list = format!(r#"a:3:{{i:1800000000;{event}i:1700000000;{event}s:7:"version";i:2;}}"#);
        assert_eq!(first_time(list.as_bytes()), Some(1_700_000_000));
        assert_eq!(first_time(br#"a:1:{s:7:"version";i:2;}"#), None);
        assert_eq!(first_time(br#"a:2:{i:5;a:0:{}s:7:"version";i:2;}"#), None);
        assert_eq!(first_time(b"a:0:{}"), None);
    }

    #[test]
    fn what_is_cut_or_hostile_says_nothing() {
        let deep = format!("a:1:{{i:1;{}", "a:1:{i:0;".repeat(100_000));
        for text in [
            "",
            "a:",
            "a:1:{i:1;",
            "a:9223372036854775807:{",
            "a:1:{i:1;s:9999:\"x\";}",
            "a:1:{i:1;a:9223372036854775807:{}}",
            "a:1:{i:1;s:-1:\"x\";}",
            "a:1:{i:x;N;}",
            &deep,
        ] {
            assert_eq!(first_time(text.as_bytes()), None, "{}", &text[..text.len().min(40)]);
        }
    }
}
