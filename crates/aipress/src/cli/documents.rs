//! Documents from files: found, read within bounds, parsed strictly. What they mean is for the API
//! to say.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use aipress_types::strict;
use serde::Deserialize;
use serde_json::Value;

use crate::args::Files;
use crate::exit::Failure;

/// Largest file, in bytes.
const FILE_MAX: u64 = 4 * 1024 * 1024;
/// Files of one call at most.
const FILES_MAX: usize = 10_000;
/// Documents of one call at most.
const DOCUMENTS_MAX: usize = 10_000;
/// Folders within folders at most.
const DEPTH_MAX: usize = 32;

/// A document and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    /// Such as `sites.yaml, document 2`.
    pub(super) origin: String,
    /// The name of its site.
    pub(super) name: String,
    pub(super) value: Value,
}

/// All documents, in the order of the files.
pub(super) fn read(files: &Files) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for file in &files.files {
        if file == "-" {
            parse(
                "standard input",
                &bounded(std::io::stdin().lock(), "standard input")?,
                &mut documents,
            )?;
            continue;
        }
        let mut paths = Vec::new();
        find(Path::new(file), files.recursive, 0, &mut paths)?;
        if paths.is_empty() {
            return Err(Failure::Usage(format!("{file}: no *.yaml, *.yml or *.json in there")));
        }
        for path in paths {
            let shown = path.display().to_string();
            let opened = std::fs::File::open(&path).map_err(|error| usage(&shown, error))?;
            parse(&shown, &bounded(opened, &shown)?, &mut documents)?;
        }
    }
    check(&documents)?;
    Ok(documents)
}

fn check(documents: &[Document]) -> Result<(), Failure> {
    if documents.is_empty() {
        return Err(Failure::Usage("there is no document in what was given".to_owned()));
    }
    if documents.len() > DOCUMENTS_MAX {
        return Err(Failure::Usage(format!("at most {DOCUMENTS_MAX} documents at once")));
    }
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for document in documents {
        if let Some(other) = seen.insert(&document.name, &document.origin) {
            return Err(Failure::Usage(format!(
                "`{}` is in {other} and in {}: keep one",
                document.name, document.origin
            )));
        }
    }
    Ok(())
}

fn usage(shown: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Usage(format!("{shown}: {error}"))
}

/// The files that `path` stands for.
fn find(
    path: &Path,
    recursive: bool,
    depth: usize,
    into: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let shown = path.display().to_string();
    if !path.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| usage(&shown, error))?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            if recursive && !entry.is_symlink() && depth < DEPTH_MAX {
                find(&entry, recursive, depth + 1, into)?;
            }
        } else if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            into.push(entry);
        }
        if into.len() > FILES_MAX {
            return Err(usage(&shown, format!("more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

fn bounded(reader: impl Read, shown: &str) -> Result<String, Failure> {
    let mut text = String::new();
    reader.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| usage(shown, error))?;
    if text.len() as u64 > FILE_MAX {
        return Err(usage(shown, format!("larger than {FILE_MAX} bytes")));
    }
    Ok(text)
}

/// JSON is read as YAML, which it is a part of.
fn parse(shown: &str, text: &str, into: &mut Vec<Document>) -> Result<(), Failure> {
    for (index, reader) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let origin = match index {
            0 => shown.to_owned(),
            later => format!("{shown}, document {}", later + 1),
        };
        let value = strict::read(reader).map_err(|error| usage(&origin, error))?;
        match value {
            // Between two `---`, or after the last.
            Value::Null => {}
            Value::Array(items) => {
                for (place, item) in items.into_iter().enumerate() {
                    into.push(document(format!("{origin}, item {}", place + 1), item)?);
                }
            }
            value => into.push(document(origin, value)?),
        }
    }
    Ok(())
}

fn document(origin: String, value: Value) -> Result<Document, Failure> {
    #[derive(Deserialize)]
    struct Named {
        metadata: Name,
    }
    #[derive(Deserialize)]
    struct Name {
        name: String,
    }
    match Named::deserialize(&value) {
        Ok(Named { metadata: Name { name } }) => Ok(Document { origin, name, value }),
        Err(_) => Err(usage(
            &origin,
            "is no tenant document: it needs apiVersion, kind and metadata.name, as \
             `aipress tenant show NAME -o yaml` prints it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Document>, String> {
        let mut documents = Vec::new();
        parse("x.yaml", text, &mut documents).map_err(|error| error.to_string())?;
        check(&documents).map_err(|error| error.to_string())?;
        Ok(documents)
    }

    const ONE: &str = "apiVersion: aipress.io/v1\nkind: Tenant\nmetadata: {name: bakery}\n";

    #[test]
    fn documents_of_yaml_and_json_are_found() {
        let two = format!("---\n{ONE}---\n---\n{}", ONE.replace("bakery", "shop"));
        let names: Vec<String> = parsed(&two).unwrap().into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["bakery", "shop"]);
        let list = r#"[{"metadata":{"name":"one"}},{"metadata":{"name":"two"}}]"#;
        assert_eq!(parsed(list).unwrap()[1].origin, "x.yaml, item 2");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, words) in [
            (ONE.replace("kind: Tenant", "kind: Tenant\nkind: Tenant"), "`/kind` is given twice"),
            (format!("{ONE}---\n{ONE}"), "is in x.yaml and in x.yaml, document 2"),
            ("a: b\n".to_owned(), "is no tenant document"),
            ("a: [1, 2\n".to_owned(), "x.yaml: "),
            ("# nothing\n".to_owned(), "there is no document"),
        ] {
            let error = parsed(&text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn aliases_do_not_grow_without_end() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            let items = [before.as_str(); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        parsed(&bomb).unwrap_err();
        let long = "x".repeat(100_000);
        let aliases = vec!["*a"; 1_000].join(", ");
        parsed(&format!("a: &a {long}\nb: [{aliases}]\n")).unwrap_err();
    }

    #[test]
    fn folders_are_read_by_name_and_only_as_deep_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, name: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, ONE.replace("bakery", name)).unwrap();
        };
        write("b.yaml", "bbb");
        write("a.json", "aaa");
        write("note.txt", "ttt");
        write(".hidden.yaml", "hhh");
        write("sub/c.yml", "ccc");
        let names = |recursive| {
            let files = Files { files: vec![dir.path().display().to_string()], recursive };
            read(&files).unwrap().into_iter().map(|d| d.name).collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["aaa", "bbb"]);
        assert_eq!(names(true), ["aaa", "bbb", "ccc"]);
    }
}
