//! What a tar says of its next member in members before it: a long name (GNU) or a record of
//! extended headers (PAX). Read here, within bounds, because the crate below reads them whole.

use std::io::Read;

use tar::EntryType;
use tar::PaxExtensions;

use crate::error::ArchiveError;
use crate::member::Member;
use crate::member::Shown;
use crate::read::damage;

/// Largest of them, in bytes: a path has at most 3,800.
const EXTENSION_MAX: u64 = 64 * 1024;

/// What was said of the next member so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    long: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Names {
    /// Takes what stands before a member; false for a member itself.
    pub(crate) fn take<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
    ) -> Result<bool, ArchiveError> {
        let place = match entry.header().entry_type() {
            EntryType::GNULongName => &mut self.long,
            EntryType::XHeader => &mut self.pax,
            // Links are refused with their name; what they lead to is of no use but to be passed.
            EntryType::GNULongLink => &mut self.link,
            _ => return Ok(false),
        };
        if entry.size() > EXTENSION_MAX {
            return Err(ArchiveError::TooLarge(format!(
                "a name or extended header of a member has {} bytes; {EXTENSION_MAX} are taken",
                entry.size()
            )));
        }
        let mut text = Vec::new();
        entry.take(EXTENSION_MAX).read_to_end(&mut text).map_err(damage)?;
        match place.replace(text) {
            None => Ok(true),
            Some(_) => Err(ArchiveError::Damaged("a member has two names".to_owned())),
        }
    }

    /// The member that it was said of.
    pub(crate) fn member<R: Read>(
        &mut self,
        entry: &tar::Entry<'_, R>,
    ) -> Result<Member, ArchiveError> {
        let Self { long, pax, .. } = std::mem::take(self);
        let size = entry.size();
        let path = match (long, pax) {
            (Some(long), pax) => {
                let path = long.strip_suffix(b"\0").unwrap_or(&long).to_vec();
                pax_path(pax.as_deref(), size)?;
                path
            }
            (None, pax) => match pax_path(pax.as_deref(), size)? {
                Some(path) => path,
                None => entry.path_bytes().into_owned(),
            },
        };
        let folder = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => false,
            EntryType::Directory => true,
            _ => {
                return Err(ArchiveError::Damaged(format!(
                    "member `{}` is neither file nor folder",
                    Shown(&path)
                )));
            }
        };
        Member::new(&path, folder, size, entry.header().mtime().unwrap_or(0))
    }

    /// Whether something was said of a member that did not come.
    pub(crate) fn is_pending(&self) -> bool {
        self.long.is_some() || self.pax.is_some() || self.link.is_some()
    }
}

/// The path in extended headers. Their other keys are of no use here, but for a size: tools that
/// disagree about it would see different members.
fn pax_path(text: Option<&[u8]>, size: u64) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut path = None;
    for record in PaxExtensions::new(text.unwrap_or_default()) {
        let record = record.map_err(damage)?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            b"size" if record.value_bytes() != size.to_string().as_bytes() => {
                return Err(ArchiveError::Damaged(
                    "a member's size stands in an extended header (PAX) only: pack it with \
                     `tar --format=gnu`"
                        .to_owned(),
                ));
            }
            _ => {}
        }
    }
    Ok(path)
}
