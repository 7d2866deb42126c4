//! What an operator lets sites reach of a private network: a port of an address or of a network, such
//! as a relay for mail. Pure.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A TCP port of a network that all sites may connect to: `10.0.0.5:25`, `10.1.0.0/16:3306`,
/// `[fd00::5]:587`, `[fd00:1::/64]:587`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    address: IpAddr,
    /// Bits of the address that count.
    bits: u8,
    port: u16,
}

/// What clouds give credentials at: opened to nobody's PHP, whatever an operator writes.
const METADATA: [Opening; 3] = [
    Opening { address: IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), bits: 16, port: 0 },
    Opening { address: IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), bits: 32, port: 0 },
    Opening {
        address: IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        bits: 128,
        port: 0,
    },
];

impl Opening {
    /// The rule of nftables that lets it through.
    pub(super) fn rule(self) -> String {
        let Self { address, bits, port } = self;
        let family = if address.is_ipv4() { "ip" } else { "ip6" };
        format!("{family} daddr {address}/{bits} tcp dport {port} accept")
    }

    fn overlaps(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        self.address.is_ipv4() == other.address.is_ipv4()
            && masked(self.address, bits) == masked(other.address, bits)
    }
}

impl FromStr for Opening {
    type Err = String;

    /// # Errors
    /// In words that say how it is written.
    fn from_str(text: &str) -> Result<Self, String> {
        let written = || {
            format!(
                "`{text}` is no address with a port, such as 10.0.0.5:25, 10.1.0.0/16:3306 or \
                 [fd00::5]:587"
            )
        };
        let (network, port) = text.rsplit_once(':').ok_or_else(written)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(written)?;
        // As everywhere, an IPv6 address with a port is in brackets: without them it is another one.
        let inner = network.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let (address, bits) = match inner.unwrap_or(network).split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (inner.unwrap_or(network), None),
        };
        let address: IpAddr = address.parse().map_err(|_| written())?;
        if address.is_ipv6() != inner.is_some() {
            return Err(written());
        }
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or_else(written)?,
            None => width,
        };
        let first = masked(address, bits);
        if first != address {
            return Err(format!("`{text}`: the network begins at {first}/{bits}"));
        }
        let opening = Self { address, bits, port };
        if METADATA.iter().any(|other| opening.overlaps(*other)) {
            return Err(format!(
                "`{text}` has addresses at which clouds give credentials; name the ones that are \
                 meant"
            ));
        }
        Ok(opening)
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, bits, port } = self;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let network = match bits {
            bits if *bits == width => address.to_string(),
            bits => format!("{address}/{bits}"),
        };
        match address {
            IpAddr::V4(_) => write!(f, "{network}:{port}"),
            IpAddr::V6(_) => write!(f, "[{network}]:{port}"),
        }
    }
}

/// The address with all but its first bits zero.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_opened() {
        for (text, rule) in [
            ("10.0.0.5:25", "ip daddr 10.0.0.5/32 tcp dport 25 accept"),
            ("10.1.0.0/16:3306", "ip daddr 10.1.0.0/16 tcp dport 3306 accept"),
            ("127.0.0.1:1025", "ip daddr 127.0.0.1/32 tcp dport 1025 accept"),
            ("[fd00::5]:587", "ip6 daddr fd00::5/128 tcp dport 587 accept"),
            ("[fd00:1::/64]:587", "ip6 daddr fd00:1::/64 tcp dport 587 accept"),
        ] {
            let opening: Opening = text.parse().unwrap();
            assert_eq!((opening.rule(), opening.to_string()), (rule.to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in [
            "10.0.0.5",
            "10.0.0.5:0",
            "10.0.0.5:65536",
            "10.0.0.0/33:25",
            "mail.example.org:25",
            "fd00::5:587",
            "[10.0.0.5]:25",
            "[fd00::5]",
            ":25",
            "",
            "10.0.0.5:25 accept",
        ] {
            let error = text.parse::<Opening>().unwrap_err();
            assert!(error.contains("such as 10.0.0.5:25"), "{error}");
        }
        let error = "10.1.2.3/16:25".parse::<Opening>().unwrap_err();
        assert!(error.contains("begins at 10.1.0.0/16"), "{error}");
    }

    #[test]
    fn nobody_is_given_a_clouds_credentials() {
        for text in [
            "169.254.169.254:80",
            "169.254.0.0/16:80",
            "168.0.0.0/8:80",
            "0.0.0.0/0:25",
            "[fd00:ec2::254]:80",
            "[::/0]:25",
        ] {
            let error = text.parse::<Opening>().unwrap_err();
            assert!(error.contains("credentials"), "{error}");
        }
    }
}
