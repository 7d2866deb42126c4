//! Unix sockets: a site's PHP reaches MariaDB and Redis, where it signs in, and nobody else.

use aipress_testkit::Platform;

use super::attack::Attack;
use super::attack::Site;
use super::guard::Modes;

pub(super) async fn no_socket_but_the_two_servers(platform: &Platform, hostile: &Site) {
    let shard = "run/aipress-shard-001";
    let paths: Vec<_> = [
        "run/meta.sock",
        "run/meta-internal.sock",
        "run/supervisor.sock",
        &format!("{shard}/control.sock"),
        &format!("{shard}/gateway.sock"),
        // Its own pool's, too: who speaks FastCGI chooses the tenant.
        &format!("{shard}/fpm/01.sock"),
        &format!("{shard}/fpm/02.sock"),
    ]
    .iter()
    .map(|name| platform.path(name))
    .collect();
    let attacks: Vec<Attack> = paths
        .iter()
        .map(|path| {
            let path = path.display();
            let code = format!(
                "return @stream_socket_client('unix://{path}', $n, $e, 2) ? 'is connected' : $e;"
            );
            Attack::new(format!("connecting to {path}"), code, "is connected")
        })
        .collect();
    hostile.gets_nothing_by("with all guards", &attacks).await;
    let opened: Vec<Modes> = paths.iter().map(|path| Modes::open(platform, path)).collect();
    hostile.gets_it_by("without modes", &attacks).await;
    opened.into_iter().rev().for_each(Modes::restore);
    hostile.gets_nothing_by("with all guards again", &attacks).await;
}
