//! What happens when the program behind ScienceWorld is not what it should be: no port, garbage, endless lines, silence.
//! The program is a shell script, and the gateway a socket of the test; neither Java nor the jar is needed.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stride_environments::scienceworld::{
    EpisodeId, GatewayError, Launch, ProcessError, Session, Settings, SimulatorError, Transcripts,
};

fn shell(script: &str) -> Settings {
    let mut settings = Settings::new(Launch::program("sh", ["-c", script]));
    settings.start_limit = Duration::from_secs(10);
    settings
}

fn boil() -> EpisodeId {
    "boil/3".parse().unwrap()
}

/// Serves so many connections, answering each command by what the function makes of its first lines.
fn gateway(
    connections: usize,
    answer: impl Fn(usize, &str, &mut TcpStream) + Send + 'static,
) -> (Settings, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for connection in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut command = String::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                // A client that gave up resets the connection.
                let Ok(line) = line else { break };
                if line == "e" {
                    answer(connection, &command, &mut stream);
                    command.clear();
                } else {
                    command.push_str(&line);
                    command.push('\n');
                }
            }
        }
    };
    (shell(&format!("echo {port}; cat")), thread::spawn(serve))
}

/// What a well-behaved simulator answers.
fn good(command: &str) -> &'static str {
    let method = command.lines().nth(2).unwrap_or_default();
    match method {
        "load" => "!ys\n",
        "getTaskDescription" => "!ysYour task is to boil.\n",
        "getScore" => "!yd0.125\n",
        "getCompleted" => "!ybfalse\n",
        "getNumMoves" => "!yi1\n",
        "step" => "!ysa\\\\b\\nc\n",
        _ if command.starts_with('i') => "!yro0\n",
        _ => "!ysThis room is called the hall.\n",
    }
}

#[test]
fn a_program_without_a_port() {
    let said = |script: &str| {
        let mut session = Session::new(shell(script));
        session.reset(boil()).unwrap_err()
    };
    let error = said("echo no heap >&2; exit 3");
    assert!(
        matches!(&error, SimulatorError::Process(ProcessError::NoPort { said }) if said.contains("no heap")),
        "{error}"
    );
    for script in [
        "echo hello; cat",
        "echo 70000; cat",
        "echo 0; cat",
        "yes | tr -d '\\n'",
    ] {
        let error = said(script);
        assert!(
            matches!(error, SimulatorError::Process(ProcessError::NoPort { .. })),
            "{script}: {error}"
        );
    }
    let mut silent = shell("cat");
    silent.start_limit = Duration::from_millis(300);
    let error = Session::new(silent).reset(boil()).unwrap_err();
    assert!(
        matches!(error, SimulatorError::Process(ProcessError::Silent { .. })),
        "{error}"
    );
    let missing = Settings::new(Launch::program("/no/such/program", [""; 0]));
    let error = Session::new(missing).reset(boil()).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

/// Misbehaves on the first connection in one way when a step is made, and behaves on the second.
fn misbehave(wrong: impl Fn(&mut TcpStream) + Send + 'static) -> GatewayError {
    let (mut settings, server) = gateway(2, move |connection, command, stream| {
        if connection == 0 && command.contains("\nstep\n") {
            wrong(stream);
        } else {
            // The client may be gone.
            let _ = stream.write_all(good(command).as_bytes());
        }
    });
    settings.call_limit = Duration::from_secs(2);
    let mut session = Session::new(settings);
    session.reset(boil()).unwrap();
    let SimulatorError::Call { source, .. } = session.step("look").unwrap_err() else {
        panic!("not an error of the call");
    };
    assert!(matches!(
        session.step("look"),
        Err(SimulatorError::NoEpisode)
    ));
    let start = session.reset(boil()).unwrap();
    assert_eq!(start.description, "Your task is to boil.");
    let observed = session.step("look").unwrap();
    assert_eq!(
        (observed.feedback.as_str(), observed.score),
        ("a\\b\nc", 12)
    );
    assert_eq!(session.starts(), 2);
    drop(session);
    server.join().unwrap();
    source
}

#[test]
fn garbage_and_silence_cost_one_episode() {
    let send = |stream: &mut TcpStream, bytes: &[u8]| {
        // The client hangs up as soon as it knows better.
        let _ = stream.write_all(bytes);
    };
    let error = misbehave(move |stream| send(stream, b"HTTP/1.1 400 Bad Request\r\n"));
    assert!(
        matches!(&error, GatewayError::Garbage { line } if line.starts_with("HTTP")),
        "{error}"
    );
    let error = misbehave(move |stream| send(stream, b"!ys\xff\xfe\n"));
    assert!(matches!(error, GatewayError::Garbage { .. }), "{error}");
    let error = misbehave(move |stream| send(stream, b"!yi5\n"));
    assert!(matches!(error, GatewayError::Type { .. }), "{error}");
    let error =
        misbehave(move |stream| send(stream, b"!xsjava.lang.NullPointerException\\n\tat x\n"));
    assert!(
        matches!(&error, GatewayError::Threw { message } if message.contains("NullPointer")),
        "{error}"
    );
    let error = misbehave(|stream| stream.shutdown(std::net::Shutdown::Both).unwrap());
    assert!(matches!(error, GatewayError::Closed), "{error}");
    let error = misbehave(|_| ());
    assert!(matches!(error, GatewayError::TimedOut { .. }), "{error}");
}

#[test]
fn endless_lines_are_not_read() {
    let error = misbehave(|stream| {
        stream.write_all(b"!ys").unwrap();
        let megabyte = vec![b'a'; 1 << 20];
        // The client hangs up after four.
        while stream.write_all(&megabyte).is_ok() {}
    });
    // Under load, the two seconds may be over before four megabytes are.
    assert!(
        matches!(
            error,
            GatewayError::LongLine { .. } | GatewayError::TimedOut { .. }
        ),
        "{error}"
    );
}

#[test]
fn lists_are_bounded() {
    let (settings, server) = gateway(1, |_, command, stream| {
        let answer = match command.lines().nth(2) {
            Some("getTaskNames") => "!ylo1\n",
            Some("size") => "!yi2000000000\n",
            _ => good(command),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let mut simulator = stride_environments::scienceworld::Simulator::start(settings).unwrap();
    let error = simulator.task_names().unwrap_err();
    assert!(
        matches!(
            &error,
            SimulatorError::Call {
                source: GatewayError::LongList { .. },
                ..
            }
        ),
        "{error}"
    );
    drop(simulator);
    server.join().unwrap();
}

#[test]
fn transcripts_that_are_none_name_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    let good = r#"{"task":"boil","variation":3,"split":"train","description":"d","initial":{"observation":"o","look":"l","inventory":"i"},"steps":[]}"#;
    let unknown = good.replace("boil", "cook");
    for wrong in ["{}", "[", unknown.as_str()] {
        std::fs::write(&path, format!("{good}\n\n{wrong}\n")).unwrap();
        let mut transcripts = Transcripts::open(&path).unwrap();
        assert_eq!(transcripts.next().unwrap().unwrap().episode(), Ok(boil()));
        let error = transcripts.next().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("x.jsonl") && error.contains("line 3"),
            "{error}"
        );
    }
}
