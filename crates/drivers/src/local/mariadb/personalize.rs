//! Statements that make a fresh copy of the template somebody's site: its address, title,
//! administrator and dates. Run once, inside the transaction that completes the site.
//!
//! The statements are those of `php/personalize.md`, where they are explained and tested against
//! each WordPress version.

use super::names::identifier;
use super::names::literal;
use crate::database::Personalization;
use crate::database::TEMPLATE_HOME;

/// When all events of the template are due, in seconds since 1970 (`php/install.php`).
const TEMPLATE_DUE: i64 = 4_000_000_000;
/// A new site is left alone this long, in seconds.
const FIRST_AFTER: i64 = 600;
/// See [`first_events`], in seconds.
const FIRST_SPREAD: i64 = 3000;

/// The statements for the database called `database`. `password` is stored as it is: `!` and chance,
/// which is the hash of nothing.
pub(crate) fn statements(database: &str, who: &Personalization, password: &str) -> String {
    let table = |name: &str| format!("{}.{}", identifier(database), identifier(name));
    let home = literal(&who.home);
    let email = literal(&who.admin_email);
    let login = literal(&who.admin_login);
    let now = format!("'{}'", datetime(who.now_unix_s));
    let placeholder = literal(TEMPLATE_HOME);
    let title = literal(&escape_html(&who.title));
    let mut out = format!(
        "UPDATE {} SET option_value = CASE option_name WHEN 'blogname' THEN {title} \
         WHEN 'admin_email' THEN {email} \
         WHEN 'cron' THEN REPLACE(option_value, 'i:{TEMPLATE_DUE};', 'i:{due};') ELSE {home} END \
         WHERE option_name IN ('siteurl', 'home', 'blogname', 'admin_email', 'cron');",
        table("wp_options"),
        due = first_events(who),
    );
    out.push_str(&format!(
        "UPDATE {} SET user_login={login}, user_nicename={nicename}, display_name={login}, \
         user_email={email}, user_url={home}, user_pass={password}, user_registered={now}, \
         user_activation_key='' WHERE ID=1;",
        table("wp_users"),
        nicename = literal(&nicename(&who.admin_login)),
        password = literal(password),
    ));
    out.push_str(&format!(
        "UPDATE {} SET meta_value={login} WHERE user_id=1 AND meta_key='nickname';",
        table("wp_usermeta")
    ));
    out.push_str(&format!(
        "UPDATE {} SET post_content=REPLACE(post_content,{placeholder},{home}), \
         guid=REPLACE(guid,{placeholder},{home}), \
         post_date={now}, post_date_gmt={now}, post_modified={now}, post_modified_gmt={now};",
        table("wp_posts"),
    ));
    out.push_str(&format!(
        "UPDATE {} SET comment_date={now}, comment_date_gmt={now};",
        table("wp_comments"),
    ));
    out
}

/// When a new site's first events are due. Not at once, while its people wait for its first page, and
/// each site at a time of its own: sites are often made many at once, and most events repeat.
fn first_events(who: &Personalization) -> i64 {
    let sum = who.home.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % FIRST_SPREAD);
    who.now_unix_s + FIRST_AFTER + sum
}

/// A login as it stands in addresses: at most 50 of `a-z 0-9 _ -`.
fn nicename(login: &str) -> String {
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '_' | '-') => letter,
        _ => '-',
    };
    login.chars().take(50).map(plain).collect()
}

/// A title as WordPress stores it (`sanitize_option()`: `esc_html()`).
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            other => out.push(other),
        }
    }
    out
}

/// Seconds since 1970 UTC as MySQL writes a moment (proleptic Gregorian calendar).
fn datetime(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3600,
        second % 3600 / 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_mysql_does() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_219_200, "2026-11-21 00:00:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
        ] {
            assert_eq!(datetime(unix_s), text);
        }
    }

    #[test]
    fn the_first_events_of_sites_are_within_an_hour_and_not_all_at_once() {
        let who = |number: u32| Personalization {
            home: format!("http://site-{number}.localhost"),
            title: "t".to_owned(),
            admin_login: "admin".to_owned(),
            admin_email: "a@example.org".to_owned(),
            now_unix_s: 1_800_000_000,
        };
        let dues: std::collections::BTreeSet<i64> =
            (0..200).map(|number| first_events(&who(number)) - 1_800_000_000).collect();
        assert!(dues.len() > 150, "{dues:?}");
        assert!(dues.iter().all(|due| (600..3600).contains(due)), "{dues:?}");
        let due = format!("'i:4000000000;', 'i:{};'", first_events(&who(1)));
        assert!(statements("t_1", &who(1), "!").contains(&due));
    }

    #[test]
    fn a_login_in_addresses_is_plain() {
        assert_eq!(nicename("Jo.Doe@x"), "jo-doe-x");
    }

    #[test]
    fn a_title_cannot_bring_markup() {
        assert_eq!(escape_html("<b>Tom & 'Jo'"), "&lt;b&gt;Tom &amp; &#039;Jo&#039;");
    }
}
