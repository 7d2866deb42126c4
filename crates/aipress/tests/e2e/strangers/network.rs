//! The network: a site reaches neither this machine's other services, nor private networks, nor a
//! cloud's metadata; and it serves nobody beside the platform's door.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::wait_until;

use super::attack::Attack;
use super::attack::Site;

/// Addresses that no test may really call: packets of the hostile site alone that go there are
/// turned to the test's own server, as if the machine were in a cloud.
const ELSEWHERE: &[&str] =
    &["169.254.169.254", "100.100.100.200", "168.63.129.16", "10.77.77.77", "192.168.77.77"];
/// Longest that the platform may take to put its rules back.
const BACK: Duration = Duration::from_secs(120);

fn connecting(what: &str, address: &str) -> Attack {
    let code = format!(
        "return @stream_socket_client('tcp://{address}', $n, $e, 2) ? 'is connected' : $e;"
    );
    Attack::new(format!("connecting to {what} ({address})"), code, "is connected")
}

/// Runs `nft`; what it says, or why not.
fn nft(args: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("nft")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("nft: {error}"))?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = if output.status.success() { output.stdout } else { output.stderr.clone() };
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// The test's own table: turns the hostile site's packets for elsewhere to a port of the machine.
struct Turned(String);

impl Turned {
    fn to(port: u16, user: u32) -> Result<Self, String> {
        let table = format!("aipress_e2e_{user}");
        let elsewhere = ELSEWHERE.join(", ");
        let rules = format!(
            "table inet {table} {{\nchain output {{\ntype nat hook output priority -100;\n\
             meta skuid {user} ip daddr {{ {elsewhere} }} tcp dport 80 redirect to :{port}\n}}\n}}\n"
        );
        nft(&["-f", "-"], &rules).map(|_| Self(table))
    }
}

impl Drop for Turned {
    fn drop(&mut self) {
        let _ = nft(&["delete", "table", "inet", &self.0], "");
    }
}

/// Name of the platform's table: it names the hostile site's user.
fn platforms_table(hostile: &Site) -> String {
    let tables = nft(&["list", "tables", "inet"], "").unwrap();
    let is_it = |name: &&str| {
        let rules = nft(&["list", "table", "inet", name], "").unwrap_or_default();
        // Ranges of users, as `meta skuid { 10-59 }` and `meta skuid 10-59`.
        rules.split(|c: char| !(c.is_ascii_digit() || c == '-')).any(|part| {
            part.split_once('-').is_some_and(|(first, last)| {
                let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else {
                    return false;
                };
                (first..=last).contains(&hostile.user)
            })
        })
    };
    let mut names = tables.lines().filter_map(|line| line.trim().strip_prefix("table inet "));
    names.find(is_it).expect("the platform's table").to_owned()
}

pub(super) async fn no_network_but_the_open_one(platform: &Platform, hostile: &Site) {
    if let Err(said) = nft(&["list", "tables"], "") {
        eprintln!(
            "not run: outgoing connections of sites, for this machine has no nftables: {said}"
        );
        return;
    }
    let server = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = datagrams.local_addr().unwrap();
    let mut attacks = vec![
        connecting("a service of the machine", &format!("127.0.0.1:{port}")),
        connecting("the same by another name", &format!("127.1.2.3:{port}")),
        connecting("the same by IPv6's way of saying IPv4", &format!("[::ffff:127.0.0.1]:{port}")),
        Attack::new(
            format!("a datagram to {udp}"),
            format!(
                "$s = stream_socket_client('udp://{udp}'); return 'sent=' . @fwrite($s, 'ping');"
            ),
            "sent=4",
        ),
    ];
    let six = TcpListener::bind("[::1]:0");
    match &six {
        Ok(six) => attacks.push(connecting("by IPv6", &six.local_addr().unwrap().to_string())),
        Err(error) => eprintln!("not run: connecting by IPv6, which this machine lacks: {error}"),
    }
    // No packet is sent: it only asks which address of the machine's own would be used.
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(("203.0.113.1", 9))?;
        socket.local_addr()
    });
    let turned = match own {
        Ok(own) => {
            attacks.push(connecting("the machine's own address", &format!("{}:{port}", own.ip())));
            Turned::to(port, hostile.user)
        }
        Err(error) => Err(error.to_string()),
    };
    match &turned {
        Ok(_) => attacks.extend(
            ELSEWHERE.iter().map(|address| connecting("elsewhere", &format!("{address}:80"))),
        ),
        Err(error) => eprintln!(
            "not run: connecting to cloud metadata and private networks; the machine has no way \
             out or no translation of addresses: {error}"
        ),
    }

    let edge = platform.address();
    let door = connecting("the edge, as WordPress calls itself", &edge.to_string());
    hostile.gets_it_by("with all guards", &[door]).await;
    hostile.gets_nothing_by("with all guards", &attacks).await;
    assert!(!is_served_beside_the_door(hostile).await, "a site's own server is reached");
    let table = platforms_table(hostile);
    // Emptied, it is not missed; deleted, it is put back.
    nft(&["flush", "table", "inet", &table], "").unwrap();
    hostile.gets_it_by("without rules", &attacks).await;
    assert!(is_served_beside_the_door(hostile).await, "nothing but the rules kept visitors away");
    nft(&["delete", "table", "inet", &table], "").unwrap();
    wait_until(BACK, "the platform puts its rules back", async || {
        nft(&["list", "table", "inet", &table], "").map(drop)
    })
    .await;
    hostile.gets_nothing_by("with all guards again", &attacks).await;
}

/// Whether somebody gets through to a server that the site opens.
async fn is_served_beside_the_door(hostile: &Site) -> bool {
    let note = hostile.slot_dir.join("tmp/port");
    let _ = fs::remove_file(&note);
    let code = "
        $s = stream_socket_server('tcp://127.0.0.1:0', $n, $e);
        file_put_contents($_SERVER['AIPRESS_SLOT_DIR'] . '/tmp/port.new', stream_socket_get_name($s, false));
        rename($_SERVER['AIPRESS_SLOT_DIR'] . '/tmp/port.new', $_SERVER['AIPRESS_SLOT_DIR'] . '/tmp/port');
        $v = @stream_socket_accept($s, 3);
        return $v ? 'is visited' : 'nobody came';";
    let visit = async {
        let address: SocketAddr =
            wait_until(Duration::from_secs(60), "the site opens a server", async || {
                let text = fs::read_to_string(&note).map_err(|error| error.to_string())?;
                text.parse().map_err(|error| format!("{text}: {error}"))
            })
            .await;
        let connect = move || TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok();
        tokio::task::spawn_blocking(connect).await.unwrap()
    };
    let (said, connected) = tokio::join!(hostile.run(code), visit);
    assert_eq!(said.contains("is visited"), connected, "{said}");
    connected
}
