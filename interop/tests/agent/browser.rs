//! A headless Chromium, driven through its WebDriver (W3C WebDriver, and Chromium's own commands).
//!
//! The protocol is JSON over HTTP, and curl speaks HTTP.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Server;
use crate::harness::process::{Program, eventually, free_port};

/// The name of an element's id in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window and a profile of its own.
pub(super) struct Browser {
    /// The session's address.
    session: String,
    directory: TempDir,
    _driver: Server,
}

impl Browser {
    /// Starts the driver, and through it the browser.
    pub(super) fn start() -> Self {
        Program::find("chromium", "chromium");
        let directory = TempDir::new().expect("a temporary directory");
        let port = free_port();
        let mut call = Program::find("chromedriver", "chromium-driver").call();
        call.arg(format!("--port={port}"));
        let driver = Server::start(call, port);
        let mut browser =
            Self { session: format!("http://127.0.0.1:{port}"), directory, _driver: driver };
        let session = browser.post("session", &browser.capabilities());
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}"));
        browser.session = format!("{}/session/{id}", browser.session);
        browser
    }

    fn capabilities(&self) -> Value {
        let profile =
            format!("--user-data-dir={}", self.directory.path().join("profile").display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let always = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        json!({ "capabilities": { "alwaysMatch": always } })
    }

    /// Sends a command, and gives its value.
    #[track_caller]
    fn post(&self, command: &str, body: &Value) -> Value {
        let file = self.directory.path().join("command.json");
        fs::write(&file, body.to_string()).expect("a temporary file");
        let (url, data) = (format!("{}/{command}", self.session), format!("@{}", file.display()));
        let header = "content-type: application/json";
        let done = Program::find("curl", "curl").run([
            "--silent",
            "--show-error",
            "--header",
            header,
            "--data",
            &data,
            &url,
        ]);
        let answer: Value = serde_json::from_slice(done.exits(0).stdout()).expect("JSON");
        let value = answer["value"].clone();
        assert!(value.get("error").is_none_or(Value::is_null), "{command} {body}: {value}");
        value
    }

    pub(super) fn go(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// What a script in the page comes to.
    #[track_caller]
    pub(super) fn eval(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": format!("return {script}"), "args": [] }))
    }

    /// Polls until a script in the page comes to true.
    #[track_caller]
    pub(super) fn until(&self, script: &str) {
        eventually(script, || (self.eval(script) == true).then_some(()));
    }

    /// Presses keys, wherever the focus is.
    #[track_caller]
    pub(super) fn press(&self, keys: &str) {
        let presses: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses });
        self.post("actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks on what the selector means.
    #[track_caller]
    pub(super) fn click(&self, selector: &str) {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        let id = found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {selector}: {found}"));
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Has the page shown as in that theme, `light` or `dark`.
    pub(super) fn prefer(&self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.own("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Gives the page that many CSS pixels.
    pub(super) fn resize(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.own("Emulation.setDeviceMetricsOverride", size);
    }

    /// A picture of the page, as PNG.
    pub(super) fn picture(&self) -> Vec<u8> {
        let shot = self.own("Page.captureScreenshot", json!({ "format": "png" }));
        BASE64.decode(shot["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What the page has complained about, such as what its security policy forbids.
    pub(super) fn complaints(&self) -> Vec<Value> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        log.as_array().cloned().unwrap_or_default()
    }

    /// A command of Chromium's own.
    #[track_caller]
    fn own(&self, name: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes the browser along when it is asked to end; this is the polite way. What
        // came of it matters to nobody any more.
        Program::find("curl", "curl").run(["--silent", "--request", "DELETE", &self.session]);
    }
}
