//! What Prometheus reads, by the rules of `promtool check metrics`.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::play::episode;
use crate::support::Place;

fn ask(place: &Place, accept: &str) -> (String, String) {
    let mut socket = UnixStream::connect(place.socket()).unwrap();
    let head = format!(
        "GET /metrics HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Every complaint about an exposition.
fn complaints(text: &str) -> Vec<String> {
    let (mut helped, mut kinds, mut complaints) = (HashSet::new(), HashMap::new(), Vec::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            if help.is_empty() || !helped.insert(name) {
                complaints.push(format!("{line}: no help, or a second one"));
            }
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            if kind == "counter" && !name.ends_with("_total") {
                complaints.push(format!("{line}: a counter ends with _total"));
            }
            if kind != "counter" && name.ends_with("_total") || kinds.insert(name, kind).is_some() {
                complaints.push(format!("{line}: no counter, or a second time"));
            }
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let ending = |name: &'static str| series.split('{').next().unwrap().strip_suffix(name);
            let of_histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(ending);
            let histogram = of_histogram.filter(|name| kinds.get(name) == Some(&"histogram"));
            let family = histogram.unwrap_or(name);
            if !helped.contains(family) || !kinds.contains_key(family) {
                complaints.push(format!("{line}: no help or no type"));
            }
            if value.parse::<f64>().is_err() {
                complaints.push(format!("{line}: no number"));
            }
        }
    }
    complaints
}

#[test]
fn both_formats_of_prometheus_are_spoken() {
    let place = Place::new().started();
    episode(&place.client(), "kitchen", 2, 5);
    let (head, text) = ask(&place, "*/*");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert_eq!(complaints(&text), Vec::<String>::new());
    assert!(
        text.contains("stride_steps_total 6\n") && text.contains("le=\"+Inf\"}"),
        "{text}"
    );
    // The sixth ended the episode, and no policy was asked.
    assert!(text.contains("stride_policy_seconds_count 5\n"), "{text}");
    let asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let (head, open) = ask(&place, asked);
    assert!(
        head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(open.ends_with("# EOF\n"));
    // The rules find what the other format does otherwise, so they can find something.
    assert!(!complaints(&open).is_empty());
}
