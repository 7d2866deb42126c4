//! The peer's nginx, as its own and WordPress's documents advise: one worker for its one core,
//! kept connections to php-fpm, buffers that hold a page, a buffered access log.

use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;

use super::server::Server;
use crate::cores::Cores;

const BINARY: &str = "/usr/sbin/nginx";

/// What php-fpm is told.
pub(crate) struct Params {
    /// `DOCUMENT_ROOT`.
    pub(crate) root: PathBuf,
    /// `SERVER_PORT`, where it is not nginx's own.
    pub(crate) server_port: Option<u16>,
    /// More parameters, the same for each request.
    pub(crate) extra: Vec<(String, String)>,
}

/// Starts it.
pub(crate) async fn start(
    address: SocketAddr,
    fpm_socket: &Path,
    params: &Params,
    cores: Cores,
    dir: &Path,
) -> anyhow::Result<Server> {
    let conf = dir.join("nginx.conf");
    std::fs::write(&conf, configuration(address, fpm_socket, params, dir))?;
    let mut command = cores.command(Path::new(BINARY));
    command.args(["-e", "stderr", "-c"]).arg(&conf);
    Server::start("nginx", command, dir, move || TcpStream::connect(address).is_ok()).await
}

fn configuration(address: SocketAddr, fpm: &Path, params: &Params, dir: &Path) -> String {
    let user = if rustix::process::geteuid().is_root() { "user www-data;\n" } else { "" };
    let port = params.server_port.map_or_else(|| "$server_port".to_owned(), |it| it.to_string());
    let extra: String = params
        .extra
        .iter()
        .map(|(name, value)| format!("      fastcgi_param {name} \"{value}\";\n"))
        .collect();
    let temporary: String = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"]
        .map(|name| format!("  {name}_temp_path {}/{name};\n", dir.display()))
        .concat();
    format!(
        "{user}daemon off;
pid {dir}/nginx.pid;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 65;
  keepalive_requests 1000000;
  server_tokens off;
  access_log {dir}/access.log combined buffer=64k flush=1s;
{temporary}  upstream php {{ server unix:{fpm}; keepalive 16; }}
  server {{
    listen {address} backlog=4096;
    root {root};
    index index.php;
    location = /aipress-bench-ceiling {{ access_log off; return 200 'ceiling'; }}
    location / {{ try_files $uri $uri/ /index.php?$args; }}
    location ~ \\.php$ {{
      fastcgi_keep_conn on;
      fastcgi_buffers 32 16k;
      fastcgi_buffer_size 32k;
      fastcgi_pass php;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param SERVER_SOFTWARE nginx;
      fastcgi_param REDIRECT_STATUS 200;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT {port};
      fastcgi_param SERVER_NAME $host;
{extra}    }}
  }}
}}
",
        dir = dir.display(),
        fpm = fpm.display(),
        root = params.root.display(),
    )
}
