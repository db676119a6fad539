//! TLS with real clients: right and wrong certificates, plain HTTP, slow handshakes, certificates that are replaced.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::Signal;
use stride_client::{Client, ClientError, Retries};

use crate::play::episode;
use crate::support::{PROGRAM, Place, say_on, signal};
use crate::tokens::{draw, port};

/// Writes a new certificate for this machine and returns it as PEM.
fn certify(place: &Place) -> String {
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    fs::write(certificate(place), cert.pem()).unwrap();
    fs::write(place.path("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.pem()
}

fn certificate(place: &Place) -> PathBuf {
    place.path("certificate.pem")
}

fn settings(place: &Place) -> String {
    format!(
        "[limits]\nhead_seconds = 2\nconnections = 20\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        certificate(place),
        place.path("key.pem")
    )
}

fn client(port: u16, trusted: &str) -> Client {
    let address = format!("https://localhost:{port}").parse().unwrap();
    let once = Retries {
        within: Duration::ZERO,
        ..Retries::default()
    };
    let client = Client::new(address).trusting(trusted.as_bytes()).unwrap();
    client.with_retries(once)
}

fn broken<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result {
        Err(error @ ClientError::Transport { .. }) => format!("{error:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn steps_are_made_over_tls_and_other_certificates_are_not_trusted() {
    let place = Place::new();
    let first = certify(&place);
    let (port, token) = (port(), draw(&place, "robot", "1"));
    let tokens = place.path("tokens");
    let listen = format!("tls:127.0.0.1:{port}");
    let flags = ["--listen", &listen, "--tokens", tokens.to_str().unwrap()];
    let settings = settings(&place);
    let mut place = place.with(&flags).with_settings(&settings).started();
    let calm = episode(&place.client(), "calm", 2, 5);
    let robot = client(port, &first).with_token(&token);
    assert_eq!(episode(&robot, "remote", 2, 5), calm);
    match client(port, &first).get("calm") {
        Err(ClientError::Refused { status, .. }) => assert_eq!(status, 401),
        other => panic!("{other:?}"),
    }

    // Another certificate than the daemon's, and those that the world trusts.
    let stranger = certify(&Place::new());
    assert!(broken(client(port, &stranger).ready()).contains("InvalidCertificate"));
    let world = Client::new(format!("https://localhost:{port}").parse().unwrap());
    assert!(broken(world.ready()).contains("InvalidCertificate"));
    // The right one under another name.
    let misnamed = format!("https://127.0.0.1:{port}").parse().unwrap();
    let misnamed = Client::new(misnamed).trusting(first.as_bytes()).unwrap();
    assert!(broken(misnamed.ready()).contains("NotValidForName"));

    // A new certificate is served after SIGHUP; files that do not go together change nothing.
    let second = certify(&place);
    signal(place.pid(), Signal::HUP);
    place.wait_without_daemon(|| client(port, &second).ready().is_ok());
    broken(client(port, &first).ready());
    fs::write(certificate(&place), &first).unwrap();
    signal(place.pid(), Signal::HUP);
    place.wait_until("telling", |place| {
        place.log().contains("the certificate stays as it was")
    });
    assert!(client(port, &second).ready().unwrap().ready);
    assert!(place.stop());
}

#[test]
fn plain_slow_and_garbled_clients_are_turned_away_and_hold_nobody_up() {
    let place = Place::new();
    let trusted = certify(&place);
    let port = port();
    let listen = format!("tls:127.0.0.1:{port}");
    let settings = settings(&place);
    let mut place = place
        .with(&["--listen", &listen])
        .with_settings(&settings)
        .started();
    let say = |bytes: &[u8]| say_on(TcpStream::connect(("127.0.0.1", port)).unwrap(), bytes);
    let told = say(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(
        told.starts_with("HTTP/1.1 400") && told.contains("https://"),
        "{told}"
    );
    for garbage in [
        &b"\x16\x03\x01\x40\x00garbage"[..],
        b"\x16\xff\xff\xff\xff",
        &[0x16; 5000],
    ] {
        assert!(!say(garbage).contains("HTTP"));
    }
    // Half a handshake, and none at all, on more connections than there are places: those behind them come in turn.
    let slow: Vec<_> = (0..50)
        .map(|n| {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            if n % 2 == 0 {
                socket.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
            }
            socket
        })
        .collect();
    let patient = client(port, &trusted).with_retries(Retries::default());
    assert!(patient.ready().unwrap().ready);
    assert_eq!(episode(&patient, "beside", 2, 5).len(), 6);
    for mut socket in slow {
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut rest = Vec::new();
        let closed = socket.read_to_end(&mut rest);
        // Cut off by the daemon, not by the wait.
        assert!(!matches!(closed, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
    }
    assert!(place.metric("stride_refused_total{reason=\"tls\"}") >= 50.0);
    assert!(place.is_running());
    // A handshake that is under way does not keep the daemon from ending.
    let _pending = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(place.stop());
}

#[test]
fn an_address_beyond_this_machine_needs_tls_and_tokens() {
    let place = Place::new();
    certify(&place);
    draw(&place, "robot", "1");
    let tokens = place.path("tokens");
    let settings = settings(&place);
    let check = |flags: &[&str], settings: &str| {
        fs::write(place.path("some.toml"), settings).unwrap();
        let checked = std::process::Command::new(PROGRAM)
            .arg("check")
            .args(["--models", place.models().to_str().unwrap()])
            .args(["--state", place.path("state").to_str().unwrap()])
            .args(["--config", place.path("some.toml").to_str().unwrap()])
            .args(flags)
            .output()
            .unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        (checked.status.success(), said)
    };
    let tokens = ["--tokens", tokens.to_str().unwrap()];
    let (plain, secure) = (["--listen", "tcp:0.0.0.0:0"], ["--listen", "tls:0.0.0.0:0"]);
    let refused = |flags: &[&str], settings: &str, why: &str| {
        let (good, said) = check(flags, settings);
        assert!(!good && said.contains(why), "{said}");
    };
    refused(&[plain, tokens].concat(), &settings, "nothing protects it");
    refused(&secure, &settings, "nothing protects it");
    refused(&[secure, tokens].concat(), "", "tls.certificate");
    let half = ["--tls-key", "/nonexistent"];
    refused(&[secure, tokens, half].concat(), "", "tls.certificate");
    let files = [
        "--tls-certificate",
        "/nonexistent",
        "--tls-key",
        "/nonexistent",
    ];
    refused(&[&secure[..], &tokens, &files].concat(), "", "/nonexistent");
    let (good, said) = check(&[secure, tokens].concat(), &settings);
    assert!(good && said.contains("ok    tls"), "{said}");
    assert!(check(&[&secure[..], &["--allow-remote"]].concat(), &settings).0);
}
