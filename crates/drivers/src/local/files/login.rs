//! One-time logins: a file that the must-use plugin takes away by unlinking it, so that exactly
//! one request wins. The folders on the way are the tenant's, which may have put links there.

use std::io;
use std::os::fd::OwnedFd;

use aipress_types::TenantUid;
use rustix::fs::AtFlags;
use serde::Deserialize;
use serde_json::json;

use super::Disk;
use super::at;
use super::project;
use super::slot;
use crate::error::DriverError;
use crate::files::LoginToken;
use crate::layout::Slot;
use crate::local::beneath;

/// Logins of one site that may wait at once.
const WAITING_MAX: usize = 64;
/// A login's file is smaller than this, in bytes.
const FILE_MAX: usize = 4096;

#[derive(Deserialize)]
struct Waiting {
    expires: i64,
}

/// Leaves a login for the site, after removing those that ended.
pub(super) fn write(
    disk: &Disk,
    uid: TenantUid,
    slot: Slot,
    token: &LoginToken,
    now_unix_s: i64,
) -> Result<(), DriverError> {
    let what = format!("write login of site {uid}");
    let hash = &token.sha256_hex;
    if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(DriverError::invalid(what, "the token's hash is no sha-256 in hexadecimal"));
    }
    if slot::linked(disk, slot)? != Some(uid) {
        return Err(DriverError::conflict(what, format!("the site does not sit in slot {slot}")));
    }
    let path = disk.paths.site(uid);
    let fail = at("write login", &path);
    let own = disk.ids.slot(slot);
    let site = beneath::open_dir(&path).map_err(&fail)?;
    // A tenant that removed these gets them again; one that put a link there gets an error.
    let (private, _) = beneath::make_dir_at(&site, "private", own, 0o700).map_err(&fail)?;
    let (login, _) = beneath::make_dir_at(&private, "login", own, 0o700).map_err(&fail)?;
    if remove_ended(&login, now_unix_s).map_err(&fail)? >= WAITING_MAX {
        return Err(DriverError::failed(what, "too many logins are waiting; use or await them"));
    }
    let user = match &token.login {
        Some(login) => json!({ "login": login, "expires": token.expires_unix_s }),
        None => json!({ "user": 1, "expires": token.expires_unix_s }),
    };
    let (name, text) = (format!("{hash}.json"), user.to_string());
    let write = || beneath::write_at(&login, &name, text.as_bytes(), own, 0o600);
    // Whoever is to delete something must be able to sign in: a full site has room for that.
    write().or_else(|error| project::lend(disk, &site, error, write)).map_err(&fail)
}

/// Removes logins that ended and whatever else is there; returns how many wait.
fn remove_ended(dir: &OwnedFd, now_unix_s: i64) -> io::Result<usize> {
    let mut waiting = 0;
    for name in beneath::names(dir)? {
        let valid = name
            .to_str()
            .and_then(|name| beneath::read_at(dir, name, FILE_MAX).ok())
            .and_then(|text| serde_json::from_slice::<Waiting>(&text).ok())
            .is_some_and(|found| found.expires > now_unix_s);
        if valid {
            waiting += 1;
        } else {
            // A folder in this place is the tenant's own doing and stays.
            let _ = rustix::fs::unlinkat(dir, &name, AtFlags::empty());
        }
    }
    Ok(waiting)
}
