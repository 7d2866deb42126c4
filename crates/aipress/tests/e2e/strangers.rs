//! Two sites of one shard, one of them hostile: it runs any PHP it likes and gets nothing of its
//! neighbour or of the platform. Each attack is shown to succeed once its guard is taken away.
//!
//! Only as root: without it sites are not isolated, which `rootless` proves to be said.

mod attack;
mod cache;
mod database;
mod files;
mod greedy;
mod guard;
mod heir;
mod network;
mod post;
mod processes;
mod roles;
mod signing_in;
mod sockets;

use aipress_testkit::Platform;
use aipress_testkit::PlatformOptions;

use crate::options;
use attack::Site;

#[tokio::test]
async fn a_site_gets_nothing_of_its_neighbour_unless_a_guard_is_taken_away() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give each site a Unix user of its own");
        return;
    }
    let platform = Platform::start(PlatformOptions { shards: 1, ..options() }).await;
    let hostile = Site::new(&platform, "hostile").await;
    let neighbour = Site::new(&platform, "neighbour").await;

    files::nobody_elses_files(&platform, &hostile, &neighbour).await;
    files::nobody_elses_files_through_the_gateway(&platform, &hostile, &neighbour).await;
    sockets::no_socket_but_the_two_servers(&platform, &hostile).await;
    processes::nothing_of_other_processes(&platform, &hostile, &neighbour).await;
    let secrets = processes::secrets(&platform, &[&hostile, &neighbour]);
    let sites = [&hostile, &neighbour];
    processes::no_secret_where_others_could_see_it(&platform, &sites, &secrets).await;
    roles::no_process_has_a_right_left_over(&platform, &neighbour).await;
    roles::nothing_in_the_data_folder_is_everybodys(&platform, &secrets);
    database::nobody_elses_rows(&platform, &hostile, &neighbour).await;
    database::no_file_by_way_of_the_server(&platform, &hostile).await;
    signing_in::nobody_elses_login_link(&platform, &hostile, &neighbour).await;
    signing_in::nothing_of_the_api(&platform, &hostile, &neighbour).await;
    post::nobody_sends_as_the_neighbour(&platform, &hostile, &neighbour).await;
    cache::nobody_elses_keys(&platform, &hostile, &neighbour).await;
    files::nobody_elses_source_by_the_opcode_cache(&platform, &hostile, &neighbour).await;
    files::no_oddity_hangs_or_leads_out(&platform, &hostile, &neighbour).await;
    network::no_network_but_the_open_one(&platform, &hostile).await;
    heir::nothing_of_who_was_there_before(&platform, hostile).await;

    // After all that the neighbour is as it was.
    let home = platform.visitor("neighbour").get("/").await.with_status(200);
    assert_eq!(home.title(), "Title of neighbour");
    platform.has_clean_inventory().await;
}

#[tokio::test]
async fn a_greedy_site_is_stopped_and_told_why_while_its_neighbour_answers() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can hold a site to its share of the machine");
        return;
    }
    let master_key = Some(processes::MASTER_KEY.to_owned());
    let platform = Platform::start(PlatformOptions { shards: 1, master_key, ..options() }).await;
    greedy::limit(&platform).await;
    let greedy = Site::new(&platform, "greedy").await;
    processes::no_master_key_in_any_environment(&platform).await;
    let neighbour = Site::new(&platform, "neighbour").await;

    greedy::limits_of_a_worker(&greedy).await;
    greedy::disk(&platform, &greedy).await;
    greedy::database(&platform, &greedy).await;
    greedy::cache(&platform, &greedy).await;
    greedy::processor_and_queries(&platform, &greedy).await;
    greedy::memory(&platform, &greedy).await;
    greedy::processes(&platform, &greedy).await;

    assert!(neighbour.run("return 'fine';").await.contains("fine"));
    platform.has_clean_inventory().await;
}
