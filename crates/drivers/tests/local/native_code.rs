//! A site's native code is not loaded into php-fpm, where it could write the opcode cache that its
//! neighbours share; and it is, once the guard is taken away.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use aipress_drivers::local::fpm::is_confined;

use crate::machine::is_root;
use crate::php::Shard;

/// A shared object whose loading leaves a mark.
fn compile(object: &Path, mark: &Path) {
    let source = object.with_extension("c");
    let code = format!(
        "#include <fcntl.h>\n#include <unistd.h>\n\
         __attribute__((constructor)) static void run(void) {{ \
         int f = open(\"{}\", O_WRONLY); if (f >= 0) {{ if (write(f, \"loaded\", 6)) {{}} close(f); }} }}\n",
        mark.display()
    );
    std::fs::write(&source, code).unwrap();
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([object, source.as_path()])
        .status()
        .unwrap();
    assert!(done.success());
}

/// Lets PHP load an object from the site's own folder the way that an attacker does; what it left.
async fn load(shard: &Shard) -> String {
    let site = shard.site(1).await;
    let script = shard.put(
        1,
        site,
        "load.php",
        "<?php $c = curl_init(); @curl_setopt($c, CURLOPT_SSLENGINE, __DIR__ . '/own.so'); echo 'asked';",
    );
    let folder = script.parent().unwrap();
    let (object, mark) = (folder.join("own.so"), folder.join("mark"));
    std::fs::write(&mark, "").unwrap();
    compile(&object, &mark);
    let ids = shard.machine.ids.slot(crate::php::slot(1));
    for path in [&object, &mark] {
        chown(path, Some(ids.uid), Some(ids.gid)).unwrap();
    }
    assert_eq!(shard.ask(1, &script, ""), "asked");
    std::fs::read_to_string(&mark).unwrap()
}

#[tokio::test]
async fn native_code_of_a_site_is_not_loaded_into_php() {
    if !is_root() || !is_confined() {
        return;
    }
    let shard = Shard::start(None).await;
    assert_eq!(load(&shard).await, "");
}

#[tokio::test]
async fn without_its_mounts_the_same_code_is_loaded() {
    if !is_root() {
        return;
    }
    let shard = Shard::start_unconfined().await;
    assert_eq!(load(&shard).await, "loaded");
}
