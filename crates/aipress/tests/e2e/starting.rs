//! Two people and one platform: `up` twice at once, `down` and `status` in the first moments, and a
//! folder that can't be written.

use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::time::Duration;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;
use aipress_testkit::wait_until;

use crate::options;

/// An `up` that has the folder and goes no further: it waits for somebody to write the settings.
async fn held_up(platform: &Platform) -> Child {
    std::fs::create_dir(platform.data()).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(platform.path("config.json")).status();
    assert!(fifo.unwrap().success());
    let mut command = platform.command();
    let child = command.args(["up", "--no-hello"]).spawn().unwrap();
    let pid = child.id().to_string();
    wait_until(Duration::from_secs(60), "the lock is taken", async || {
        let text = std::fs::read_to_string(platform.path("run/supervisor.lock"));
        if text.as_deref().unwrap_or_default().trim() == pid { Ok(()) } else { Err(pid.clone()) }
    })
    .await;
    child
}

#[tokio::test]
async fn down_ends_an_up_that_is_only_just_starting() {
    let platform = Platform::new(options());
    let mut up = held_up(&platform).await;
    let pid = up.id().to_string();

    let told = platform.cli(&["status"]).await.ended(1);
    assert!(told.err.contains("only just starting") && told.err.contains(&pid), "{}", told.err);
    let second = platform.cli(&["up"]).await.ended(2);
    for words in ["started already", &pid, "aipress down", "--data"] {
        assert!(second.err.contains(words), "{words}: {}", second.err);
    }

    let told = platform.cli(&["down"]).await.good();
    assert!(told.err.contains(&pid) && told.out.contains("is stopped"), "{told:?}");
    assert!(!up.wait().unwrap().success());
    let told = platform.cli(&["down"]).await.good();
    assert!(told.out.contains("is not running"), "{told:?}");
}

#[tokio::test]
async fn two_ups_at_once_bring_up_one_platform_and_both_say_so() {
    let platform = Platform::new(PlatformOptions { shards: 1, ..options() });
    let (one, other) = tokio::join!(platform.up(), platform.up());
    for told in [&one, &other] {
        assert_eq!(told.code, 0, "{told:?}");
        assert!(told.out.contains("AIPress is up."), "{told:?}");
    }
    let patient = [&one, &other].iter().any(|told| {
        told.err.contains("waiting for it") || told.err.contains("The platform is running")
    });
    assert!(patient, "{one:?}\n{other:?}");
    assert!(platform.units().await.iter().all(|unit| unit.ready));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let platform = Platform::new(PlatformOptions { unprivileged: true, ..options() });
    let closed = platform.home().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::os::unix::fs::chown(&closed, platform.user(), platform.user()).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    let path = closed.join("data");
    let data = path.to_str().unwrap();
    for args in [
        ["--data", data, "up", "--detach"].as_slice(),
        &["--data", data, "up"],
        &["--data", data, "core", "fetch"],
    ] {
        let told = platform.cli(args).await.ended(1);
        assert!(told.err.contains(data), "{args:?}: {}", told.err);
    }
}

/// The users that roles and sites run as could not reach it: said at once, not after a time-out.
#[tokio::test]
async fn a_data_folder_behind_a_closed_one_is_refused() {
    let platform = Platform::new(options());
    let closed = platform.home().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let data = closed.join("data");
    for mode in [["up"].as_slice(), &["up", "--detach"]] {
        let args = [&["--data", data.to_str().unwrap()], mode].concat();
        let told = platform.cli(&args).await.ended(1);
        for words in ["is closed to other users", "--data", "chmod o+x"] {
            assert!(told.err.contains(words), "{words}: {}", told.err);
        }
    }
}
