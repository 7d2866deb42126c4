//! Where the sites' PHP may not connect to: this machine, private networks, cloud metadata. Rules of
//! nftables, by the Unix users of slots.
//!
//! One table, `inet aipress_<hash of the data folder>`, is the platform's own and is replaced as a
//! whole; no other table is looked at or touched. It decides before addresses are translated
//! (priority -150), on what the site asked for. Let through: name lookups (port 53 of the machine's
//! resolvers) and the edge, because WordPress calls its own address (Site Health, background jobs); what
//! listens there is for everybody. A slot's user answers nobody either: a server of its own would be
//! a site beside the platform's door. Beyond that what the operator opened ([`Opening`]). Unix sockets are not the network; their modes keep them.
//!
//! Needs root, `nft` and a kernel with nftables; where they are missing `doctor` says so.

mod opening;

pub use opening::Opening;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use sha2::Digest;
use sha2::Sha256;

use crate::error::DriverError;
use crate::layout::DataPaths;
use crate::local::mariadb::find_program;

/// Networks that are no site's business (RFC 6890, RFC 1918, RFC 6598), and the one public address
/// of a cloud's own services (Azure's `168.63.129.16`).
const DENIED_4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];
/// The same (RFC 4291, RFC 4193), and what an IPv4 network is by way of NAT64 (RFC 6052) and 6to4.
const DENIED_6: &[&str] = &[
    "::/127",
    "64:ff9b::a00:0/104",
    "64:ff9b::7f00:0/104",
    "64:ff9b::a9fe:0/112",
    "64:ff9b::ac10:0/108",
    "64:ff9b::c0a8:0/112",
    "64:ff9b:1::/48",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];
/// What the machine's resolvers are read from (`resolv.conf(5)`).
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Resolvers that are let through; the C library asks three.
const RESOLVERS_MAX: usize = 3;

/// The rules of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    table: String,
    slots: Vec<RangeInclusive<u32>>,
    edge: SocketAddr,
    openings: Vec<Opening>,
    resolv_conf: PathBuf,
}

impl Firewall {
    /// Rules for these users' outgoing packets; `edge` is where the platform listens, `openings` what
    /// they may reach besides.
    pub fn new(
        paths: &DataPaths,
        slots: Vec<RangeInclusive<u32>>,
        edge: SocketAddr,
        openings: Vec<Opening>,
    ) -> Self {
        let folder = Sha256::digest(paths.root().as_os_str().as_encoded_bytes());
        let table = format!("aipress_{}", hex::encode(&folder[..4]));
        Self { table, slots, edge, openings, resolv_conf: PathBuf::from(RESOLV_CONF) }
    }

    /// Name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// What `nft -f` is given. Takes effect as one, also in the place of an older table.
    pub fn rules(&self) -> String {
        // No file: no resolver, and nothing to let through.
        let conf = std::fs::read_to_string(&self.resolv_conf).unwrap_or_default();
        self.rules_with(&resolvers(&conf))
    }

    fn rules_with(&self, resolvers: &[IpAddr]) -> String {
        let table = &self.table;
        let users: Vec<String> =
            self.slots.iter().map(|ids| format!("{}-{}", ids.start(), ids.end())).collect();
        let mut text = format!(
            "table inet {table} {{\n}}\ndelete table inet {table}\ntable inet {table} {{\n\
             chain output {{\ntype filter hook output priority -150; policy accept;\n\
             meta skuid {{ {} }} goto slots\n}}\nchain slots {{\nct direction reply counter drop\n",
            users.join(", ")
        );
        let mut rule = |words: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{words}");
        };
        rule(format!("oif \"lo\" {}tcp dport {} accept", to(self.edge.ip()), self.edge.port()));
        for resolver in resolvers {
            rule(format!("{}meta l4proto {{ tcp, udp }} th dport 53 accept", to(*resolver)));
        }
        for opening in &self.openings {
            rule(opening.rule());
        }
        // This machine by any of its addresses, public ones, too.
        rule(format!("oif \"lo\" {REFUSE}"));
        rule(format!("ip daddr {{ {} }} {REFUSE}", DENIED_4.join(", ")));
        rule(format!("ip6 daddr {{ {} }} {REFUSE}", DENIED_6.join(", ")));
        text.push_str("}\n}\n");
        text
    }

    /// Makes the table what [`rules`](Self::rules) says.
    ///
    /// # Errors
    /// `Invalid` without `nft`, `Failed` when the kernel refuses.
    pub fn apply(&self) -> Result<(), DriverError> {
        self.nft(&["-f", "-"], &self.rules()).map(drop)
    }

    /// Whether the table is there.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), also when somebody may not look.
    pub fn is_there(&self) -> Result<bool, DriverError> {
        let listed = self.nft(&["list", "tables", "inet"], "")?;
        let wanted = format!("table inet {}", self.table);
        Ok(String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.trim() == wanted))
    }

    /// Takes the table away; one that is not there is away.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn remove(&self) -> Result<(), DriverError> {
        let table = &self.table;
        // Made and deleted as one: that works whether it was there or not.
        let text = format!("table inet {table} {{\n}}\ndelete table inet {table}\n");
        self.nft(&["-f", "-"], &text).map(drop)
    }

    fn nft(&self, args: &[&str], input: &str) -> Result<Output, DriverError> {
        const WHAT: &str = "filter what sites connect to";
        let failed = |error: std::io::Error| DriverError::failed(WHAT, error);
        let mut child = Command::new(find_program("nft", "nftables")?)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(failed)?;
        }
        // A call of the kernel within milliseconds: nothing to be cut off.
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("no word from nft");
        Err(DriverError::failed(WHAT, std::io::Error::other(said.to_owned())))
    }
}

/// PHP hears at once that it may not, and WordPress waits for no time-out.
const REFUSE: &str = "counter reject with icmpx admin-prohibited";

/// Matches an address; every one when the platform listens on all.
fn to(address: IpAddr) -> String {
    match address {
        address if address.is_unspecified() => String::new(),
        IpAddr::V4(address) => format!("ip daddr {address} "),
        IpAddr::V6(address) => format!("ip6 daddr {address} "),
    }
}

/// The servers of a `resolv.conf`. A zone behind an address is not part of it.
fn resolvers(text: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.trim().split('%').next()?.parse().ok())
        .take(RESOLVERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firewall(edge: &str) -> Firewall {
        let paths = DataPaths::new("/srv/aipress").unwrap();
        Firewall::new(
            &paths,
            vec![70_111..=70_160, 70_211..=70_260],
            edge.parse().unwrap(),
            vec!["10.0.0.5:25".parse().unwrap()],
        )
    }

    #[test]
    fn the_table_is_the_platforms_own_and_lets_the_edge_and_names_through() {
        let text = firewall("127.0.0.1:8080")
            .rules_with(&["10.255.255.53".parse().unwrap(), "fd00::53".parse().unwrap()]);
        for line in text.lines().filter(|line| line.contains("table")) {
            assert!(line.contains("table inet aipress_"), "{line}");
        }
        assert!(text.contains("meta skuid { 70111-70160, 70211-70260 } goto slots"));
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        let edge = at("oif \"lo\" ip daddr 127.0.0.1 tcp dport 8080 accept");
        let names = at("ip daddr 10.255.255.53 meta l4proto { tcp, udp } th dport 53 accept");
        at("ip6 daddr fd00::53 meta l4proto");
        let opened = at("ip daddr 10.0.0.5/32 tcp dport 25 accept");
        let refused = at("oif \"lo\" counter reject");
        assert!(edge < names && names < refused && opened < refused);
        assert!(text.contains("169.254.0.0/16") && text.contains("fc00::/7"));
    }

    #[test]
    fn one_that_listens_everywhere_is_reached_by_every_address_of_the_machine() {
        let text = firewall("0.0.0.0:80").rules_with(&[]);
        assert!(text.contains("oif \"lo\" tcp dport 80 accept"), "{text}");
        assert!(!text.contains("dport 53"));
    }

    #[test]
    fn resolvers_are_read_as_the_c_library_does() {
        let text = "# nameserver 1.1.1.1\nsearch x\nnameserver 127.0.0.53\n nameserver fe80::1%eth0\n\
                    nameserver bad\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
        let found: Vec<String> = resolvers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.53", "fe80::1", "10.0.0.2"]);
    }
}
