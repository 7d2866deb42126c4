//! The line of a request, as a reader of logs finds it.

use std::sync::Mutex;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_has_the_fields_of_the_product_and_no_secret() {
    let (parts, ()) = http::Request::get("/?aipress_login=s3cret&p=1")
        .header("host", "a.localhost:8080")
        .body(())
        .unwrap()
        .into_parts();
    let line = Line {
        method: Method::GET,
        target: Box::new(Target::of(&parts)),
        route: None,
        status: 503,
        bytes: 7,
        duration_us: 1_500,
        outcome: Outcome::Complete,
        request_id: HeaderValue::from_static("id"),
    };
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || line.write("edge-1", Some("us-central1")));
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (field, value) in [
        ("target", "access"),
        ("service", "edge"),
        ("severity", "ERROR"),
        ("region", "us-central1"),
        ("method", "GET"),
        ("host", "a.localhost:8080"),
        ("path", "/?aipress_login=[redacted]&p=1"),
        ("request_id", "id"),
        ("message", "GET /?aipress_login=[redacted]&p=1 503"),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!((&line["status"], &line["bytes"]), (&503.into(), &7.into()));
    assert_eq!(line["duration_ms"], 1.5);
}

#[test]
fn a_slow_reader_costs_lines_not_time() {
    let (log, _write) = AccessLog::on("edge-1".to_owned(), None);
    let send = log.0.unwrap();
    let line = || {
        let (parts, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        Line {
            method: Method::GET,
            target: Box::new(Target::of(&parts)),
            route: None,
            status: 200,
            bytes: 0,
            duration_us: 0,
            outcome: Outcome::Complete,
            request_id: HeaderValue::from_static(""),
        }
    };
    assert!((0..QUEUE).all(|_| send.try_send(line()).is_ok()));
    assert!(send.try_send(line()).is_err());
}
