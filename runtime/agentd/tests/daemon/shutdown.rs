//! The end of the daemon: whatever it is at, and whatever its clients do.

use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{MODEL, Place, children, is_alive, shipped_model, signal};

/// A client that asks again and again and never reads, until the daemon can write no more to it.
fn deaf_client(place: &Place) -> UnixStream {
    let mut socket = UnixStream::connect(place.socket()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let asks = b"GET /page/main.js HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let (mut sent, mut refused) = (0, 0);
    while refused < 20 {
        match socket.write(&asks[sent..]) {
            Ok(bytes) => (sent, refused) = ((sent + bytes) % asks.len(), 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                refused += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    socket
}

/// SIGTERM, and waits; the daemon must have ended in order.
fn end(place: &mut Place) {
    let pid = place.pid();
    signal(pid, Signal::TERM);
    place.wait_without_daemon(|| !is_alive(pid));
    assert!(place.stop());
    assert!(place.log().contains("ended in order"), "{}", place.log());
}

#[test]
fn a_client_that_does_not_read_does_not_keep_the_daemon_from_ending() {
    let settings = "[limits]\ngrace_seconds = 1\nhead_seconds = 3600\n";
    let mut place = Place::new().with_settings(settings).started();
    let _deaf = deaf_client(&place);
    end(&mut place);
    assert!(place.log().contains("cut off"), "{}", place.log());
}

#[test]
fn a_client_that_does_not_read_is_cut_off_in_time() {
    let settings = "[limits]\nhead_seconds = 1\n";
    let mut place = Place::new().with_settings(settings).started();
    let _deaf = deaf_client(&place);
    // The one that asks is the only one left.
    place.wait_until("rid of the client", |place| {
        place.metric("stride_connections ") <= 1.0
    });
    assert!(place.stop());
}

/// Stops the newest of so many workers while it loads, which the daemon then waits for. When it was too late and the worker serves
/// already, `again` must bring about another.
fn stop_a_loading_worker(
    place: &mut Place,
    workers: usize,
    serves: impl Fn(&Place) -> bool,
    mut again: impl FnMut(&mut Place, u32),
) {
    loop {
        let mut newest = None;
        place.wait_until("with a loading worker", |place| {
            let mut found = children(place.pid());
            found.sort_unstable();
            newest = found.last().copied().filter(|_| found.len() == workers);
            newest.is_some()
        });
        let worker = newest.unwrap();
        signal(worker, Signal::STOP);
        std::thread::sleep(Duration::from_millis(300));
        if !serves(place) && is_alive(worker) {
            return;
        }
        again(place, worker);
    }
}

#[test]
fn the_daemon_ends_while_its_first_worker_loads() {
    let settings = "[worker]\nload_seconds = 3600\nprobe_seconds = 3600\n";
    let mut place = Place::new().with_settings(settings);
    place.spawn();
    place.wait_until("answering", |place| place.client_once().ready().is_ok());
    let serves = |place: &Place| place.client_once().ready().unwrap().model.is_some();
    stop_a_loading_worker(&mut place, 1, serves, |place, worker| {
        signal(worker, Signal::KILL);
        place.wait_until("rid of the worker", |_| !is_alive(worker));
    });
    end(&mut place);
}

#[test]
fn the_daemon_ends_while_it_reads_everything_again() {
    let settings = "[worker]\nload_seconds = 3600\nprobe_seconds = 3600\n";
    let mut place = Place::new().with_settings(settings);
    std::fs::copy(shipped_model(), place.models().join("twin.gguf")).unwrap();
    place.start();
    let mut names = ["twin", MODEL].into_iter().cycle();
    let mut wish = move |place: &Place| {
        std::fs::write(place.models().join("active"), names.next().unwrap()).unwrap();
        signal(place.pid(), Signal::HUP);
    };
    wish(&place);
    let serves = |place: &Place| children(place.pid()).len() == 1;
    stop_a_loading_worker(&mut place, 2, serves, |place, worker| {
        signal(worker, Signal::CONT);
        place.wait_until("with one worker", |place| children(place.pid()).len() == 1);
        wish(place);
    });
    end(&mut place);
}
