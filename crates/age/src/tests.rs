//! Sealed and opened, and every way in which a file can be wrong.

use std::io::Read;
use std::io::Write;

use super::*;

fn sealed(plain: &[u8], lock: &Lock) -> Vec<u8> {
    let mut sealer = seal(Vec::new(), lock).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn opened(file: &[u8], key: &Key) -> Result<Vec<u8>, AgeError> {
    let mut plain = Vec::new();
    match open(file, key)?.read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(*error.into_inner().unwrap().downcast::<AgeError>().unwrap()),
    }
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

#[test]
fn what_was_sealed_comes_back_whatever_its_length() {
    let identity = Identity::generate().unwrap();
    let lock = Lock::Recipients(vec![identity.recipient()]);
    let key = Key::Identities(vec![Identity::generate().unwrap(), identity]);
    let piece = 64 * 1024;
    for length in [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 5] {
        let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let file = sealed(&plain, &lock);
        assert!(file.starts_with(MAGIC));
        assert_eq!(opened(&file, &key).unwrap(), plain, "{length}");
    }
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_another_does_not() {
    let file = sealed(b"loaf", &Lock::Passphrase(passphrase("crumbs")));
    assert_eq!(opened(&file, &Key::Passphrase(passphrase("crumbs"))).unwrap(), b"loaf");
    let wrong = opened(&file, &Key::Passphrase(passphrase("Crumbs")));
    assert!(matches!(wrong, Err(AgeError::WrongPassphrase)));
    let identity = vec![Identity::generate().unwrap()];
    assert!(matches!(opened(&file, &Key::Identities(identity)), Err(AgeError::WantsPassphrase)));
}

#[test]
fn only_a_recipient_opens_it() {
    let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let file = sealed(b"loaf", &Lock::Recipients(vec![one.recipient(), other.recipient()]));
    for identity in [one, other] {
        assert_eq!(opened(&file, &Key::Identities(vec![identity])).unwrap(), b"loaf");
    }
    let stranger = Key::Identities(vec![Identity::generate().unwrap()]);
    assert!(matches!(opened(&file, &stranger), Err(AgeError::NotForYou)));
    let wrong = opened(&file, &Key::Passphrase(passphrase("x")));
    assert!(matches!(wrong, Err(AgeError::WantsIdentity)));
}

#[test]
fn no_byte_can_be_changed_and_none_can_be_missing() {
    let identity = Identity::generate().unwrap();
    let lock = Lock::Recipients(vec![identity.recipient()]);
    let key = Key::Identities(vec![identity]);
    let whole = sealed(&vec![7; 2 * 64 * 1024], &lock);
    for at in 0..whole.len() {
        // All of the head, and some of each piece.
        if at > 300 && !at.is_multiple_of(997) && at + 40 < whole.len() {
            continue;
        }
        let mut file = whole.clone();
        file[at] ^= 1;
        assert!(opened(&file, &key).is_err(), "changed at {at}");
        assert!(opened(&whole[..at], &key).is_err(), "cut at {at}");
    }
    let last = whole.len() - 64 * 1024 - 16;
    assert!(matches!(opened(&whole[..last], &key), Err(AgeError::Early)));
    let longer = [whole.as_slice(), b"x"].concat();
    assert!(opened(&longer, &key).is_err());
    assert!(matches!(opened(b"PK..", &key), Err(AgeError::NotAge)));
}

#[test]
fn an_error_stays_one() {
    let identity = Identity::generate().unwrap();
    let mut file = sealed(b"loaf", &Lock::Recipients(vec![identity.recipient()]));
    *file.last_mut().unwrap() ^= 1;
    let mut opener = open(file.as_slice(), &Key::Identities(vec![identity])).unwrap();
    for _ in 0..3 {
        assert!(opener.read(&mut [0; 8]).is_err(), "never a shorter file");
    }
}

#[test]
fn hostile_heads_are_refused_early() {
    let key = Key::Passphrase(passphrase("x"));
    let mac = "A".repeat(43);
    let salt = "A".repeat(22);
    for head in [
        format!("-> scrypt {salt} 63\n{mac}\n--- {mac}\n"),
        format!("-> scrypt {salt} 018\n{mac}\n--- {mac}\n"),
        format!("-> scrypt {salt} 10\n{mac}\n-> scrypt {salt} 10\n{mac}\n--- {mac}\n"),
        "-> x ".to_owned() + &"a".repeat(100_000),
        "-> x\n\n".repeat(1_000),
        format!("-> \n\n--- {mac}\n"),
        "nothing\n".to_owned(),
    ] {
        let file = [MAGIC, head.as_bytes()].concat();
        let refused = opened(&file, &key);
        assert!(matches!(refused, Err(AgeError::Head(_))), "{refused:?}");
    }
}

#[test]
fn keys_are_text_that_age_knows() {
    // The pair of the format's own documentation.
    let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity: Identity = secret.parse().unwrap();
    assert_eq!(*identity.text(), secret);
    assert_eq!(
        identity.recipient().to_string(),
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    );
    let recipient: Recipient = identity.recipient().to_string().parse().unwrap();
    assert_eq!(recipient, identity.recipient());
    assert!(secret.parse::<Recipient>().unwrap_err().to_string().contains("secret"));
    for bad in ["", "age1", "age1qqqq", "AGE-SECRET-KEY-1QQQ", "ssh-ed25519 AAAA"] {
        assert!(bad.parse::<Recipient>().is_err() && bad.parse::<Identity>().is_err(), "{bad}");
    }
    let list = Identity::list(&format!("# made today\n\n{secret}\r\n")).unwrap();
    assert_eq!(list.len(), 1);
    assert!(Identity::list("# nothing").is_err());
    assert_eq!(format!("{identity:?} {:?}", passphrase("x")), "Identity(…) Passphrase(…)");
}
