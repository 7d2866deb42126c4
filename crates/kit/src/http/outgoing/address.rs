//! Which addresses belong to everybody and which to a machine's own neighbourhood (IANA's
//! registries of special-purpose addresses, RFC 6890): a caller must not reach through us what
//! only we can reach, such as a database on loopback or a cloud's metadata service.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

const PRIVATE: &str = "which is no public address";

/// Everywhere.
///
/// # Errors
/// Never; the signature is that of a [`super::Judge`].
pub fn any_address(_: IpAddr) -> Result<(), &'static str> {
    Ok(())
}

/// Public addresses only: not loopback, private, link-local (where clouds have their metadata),
/// multicast or reserved ones, nor those within an IPv6 form.
///
/// # Errors
/// Says why not.
pub fn public_only(address: IpAddr) -> Result<(), &'static str> {
    let public = match address.to_canonical() {
        IpAddr::V4(v4) => v4_is_public(v4),
        IpAddr::V6(v6) => v6_is_public(v6),
    };
    if public { Ok(()) } else { Err(PRIVATE) }
}

fn v4_is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., _, _)
    );
    !special
}

fn v6_is_public(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, ..] = segments;
    // NAT64 (RFC 6052): the IPv4 address at its end is where it leads.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return v4_is_public(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is given to the public Internet, but for these within it: protocols such as
    // Teredo (2001::/23), documentation, 6to4, which carries IPv4 addresses.
    let global = first & 0xe000 == 0x2000;
    let special =
        matches!((first, second), (0x2001, ..0x0200 | 0x0db8) | (0x2002, _) | (0x3fff, ..0x1000));
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_we_can_reach_is_refused() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(public_only(address.parse().unwrap()).is_err(), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_not() {
        for address in [
            "1.1.1.1",
            "9.9.9.9",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::101:101",
        ] {
            assert_eq!(public_only(address.parse().unwrap()), Ok(()), "{address}");
        }
    }
}
