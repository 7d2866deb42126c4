//! The shard's socket for mail, which every site's PHP may write to: who sends is the kernel's word,
//! not the sender's, and no site takes the place of the others.

use aipress_testkit::Platform;
use serde_json::Value;

use super::attack::Attack;
use super::attack::Site;

/// Connections at once that are more than one site may have, and fewer than a worker's open files.
const MANY: usize = 60;

/// Ids of a site's mails.
async fn mails(platform: &Platform, name: &str) -> Vec<String> {
    let told = platform.cli(&["tenant", "mail", "list", name, "-o", "json"]).await.good().json();
    let items = told["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|mail| mail["id"].as_str().map(str::to_owned)).collect()
}

pub(super) async fn nobody_sends_as_the_neighbour(
    platform: &Platform,
    hostile: &Site,
    neighbour: &Site,
) {
    let socket = platform.path("run/aipress-shard-001/mail.sock");
    let connect = format!("stream_socket_client('unix://{}', $n, $e, 20)", socket.display());
    // As `php/mail.php` writes it, but with the neighbour's uid.
    let sending = format!(
        "$f = '';
         foreach (array('friend@example.org', 'news', 'text', 'From: me@neighbour.localhost', '{}') as $t) {{
             $f .= strlen($t) . \":$t,\";
         }}
         $s = {connect};
         fwrite($s, $f);
         return 'answer=' . trim(fgets($s)) . ';';",
        neighbour.uid
    );
    let sent_by = async |site: &Site| {
        let said = site.run(&sending).await;
        let id = said.split_once("answer=+").and_then(|(_, rest)| rest.split_once(';'));
        id.unwrap_or_else(|| panic!("not taken: {said}")).0.to_owned()
    };
    let claimed = sent_by(hostile).await;
    assert!(mails(platform, "hostile").await.contains(&claimed), "attributed to nobody");
    assert_eq!(mails(platform, "neighbour").await, Vec::<String>::new(), "sent as the neighbour");
    // The same bytes by the neighbour's own user are the neighbour's: it is the user that decides.
    let honest = sent_by(neighbour).await;
    assert_eq!(mails(platform, "neighbour").await, [honest.as_str()]);
    for shown in [("hostile", &claimed), ("neighbour", &honest)] {
        let mail = platform.cli(&["tenant", "mail", "show", shown.0, shown.1, "-o", "json"]).await;
        let mail: Value = mail.good().json();
        let uid = if shown.0 == "hostile" { &hostile.uid } else { &neighbour.uid };
        let envelope = format!("site-{}@localhost", uid.replace('-', ""));
        assert!(mail.to_string().contains(&envelope), "{mail}");
    }

    // Connections that say nothing are held for 15 s each: a site has so many, the others have theirs.
    let holding = Attack::new(
        "being told that there are too many",
        format!(
            "$all = array();
             for ($i = 0; $i < {MANY}; $i++) {{ $all[] = {connect}; }}
             $ready = $all; $w = $x = null; $refused = 0;
             stream_select($ready, $w, $x, 30);
             foreach ($ready as $s) {{ if (str_starts_with((string) fgets($s), '-')) {{ $refused++; }} }}
             return $refused ? 'is refused' : 'holds all of them';"
        ),
        "is refused",
    );
    hostile.gets_it_by("a bound for each site", &[holding]).await;
    assert_ne!(sent_by(neighbour).await, honest);
}
