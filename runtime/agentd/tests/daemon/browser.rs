//! A headless Chromium, driven over its debugging pipe.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PATIENCE;

/// A browser with one page.
pub struct Browser {
    folder: TempDir,
    process: Child,
    to: File,
    from: BufReader<File>,
    session: String,
    sent: u64,
    /// What the page complained about: exceptions, refused loads, violations of its policy.
    pub complaints: Vec<String>,
}

/// The browser of this machine, if there is one.
pub fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

impl Browser {
    /// Starts the program with an empty profile.
    pub fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        fifo(&to);
        fifo(&from);
        let log = File::create(folder.path().join("log")).unwrap();
        // The pipe is the file descriptors 3 and 4, which only a shell gives a child without further ado.
        let process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\""])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .arg("about:blank")
            .env("TO", &to)
            .env("FROM", &from)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let from = OpenOptions::new().read(true).open(from).unwrap();
        let mut browser = Self {
            folder,
            process,
            to,
            from: BufReader::new(from),
            session: String::new(),
            sent: 0,
            complaints: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// A command of the debugging protocol, and its result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let bytes = [message.to_string().as_bytes(), &[0]].concat();
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut bytes = Vec::new();
            let read = self.from.read_until(0, &mut bytes).unwrap();
            assert!(read > 0, "the browser is gone: {}", self.log());
            let answer: Value = serde_json::from_slice(&bytes[..read - 1]).unwrap();
            if answer["id"] == json!(self.sent) {
                assert_eq!(answer["error"], Value::Null, "{method}: {answer}");
                return answer["result"].clone();
            }
            if let Some("Runtime.exceptionThrown" | "Log.entryAdded") = answer["method"].as_str() {
                self.complaints.push(answer["params"].to_string());
            }
        }
    }

    /// A window of this size, light or dark.
    pub fn resize(&mut self, width: u32, height: u32, dark: bool) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Goes to an address.
    pub fn open(&mut self, address: &str) {
        let gone = self.call("Page.navigate", json!({"url": address}));
        assert_eq!(gone["errorText"], Value::Null, "{gone}");
        self.wait(&format!(
            "location.href === '{address}' && document.readyState === 'complete'"
        ));
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", params);
        assert_eq!(
            result["exceptionDetails"],
            Value::Null,
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// The text that a reader sees in an element.
    pub fn text(&mut self, id: &str) -> String {
        let text = self.value(&format!("document.getElementById('{id}')?.innerText ?? ''"));
        text.as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true; one that throws is not.
    pub fn wait(&mut self, expression: &str) {
        let start = Instant::now();
        // A page that is not there yet has no elements.
        let expression =
            &format!("(() => {{ try {{ return {expression}; }} catch {{ return false; }} }})()");
        while self.value(expression) != json!(true) {
            if start.elapsed() > PATIENCE {
                let page = self.value("document.body.innerText");
                panic!("never {expression}\n{page}\n{:?}", self.complaints);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// A picture of the whole page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let data = self.call("Page.captureScreenshot", params);
        from_base64(data["data"].as_str().unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("{other} is no digit"),
    };
    let digits: Vec<u32> = text
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(|byte| u32::from(digit(byte)))
        .collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |bits, (n, digit)| bits | digit << (18 - 6 * n));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
