//! The status page in a real browser: what it shows, sorting, filtering, the keyboard, both themes,
//! a narrow window, and a thousand certificates.
//!
//! The pictures are in `target/tmp` afterwards, for people to look at.

use std::path::Path;
use std::time::Duration;

use certstatus_lab::{Leaf, LeafRequest};
use serde_json::Value;

use super::Site;
use super::browser::Browser;
use crate::harness::process::Daemon;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";
const UP: &str = "\u{e013}";

/// Every certificate of `live`, from a responder that is asked as fast as it can answer.
const RULE: &str = "fetch.per_second = 5000\nfetch.concurrent = 32\n[[certificate]]\n\
                    path = \"live/*.pem\"\noutput = \"staples/{stem}.der\"\n";

/// The names on the page, in their order.
const NAMES: &str = "[...document.querySelectorAll('tr.row .name')].map(e => e.firstChild.data)";

impl Site {
    fn live(&self, name: &str, request: LeafRequest) -> Leaf {
        let leaf = self.lab.issue(request).expect("a certificate");
        self.live_file(name, &super::pem("CERTIFICATE", leaf.certificate()));
        leaf
    }

    fn live_file(&self, name: &str, contents: &[u8]) {
        std::fs::create_dir_all(self.path("live")).expect("a temporary directory");
        self.write(&format!("live/{name}.pem"), contents);
    }

    /// One certificate in each state that comes at once, and some that are fresh.
    fn with_every_state() -> Self {
        let site = Self::new(Duration::from_secs(4 * 86_400));
        for name in ["www", "api", "mail", "vault", "registry"] {
            let request = LeafRequest::new(format!("{name}.example.org"));
            site.live(name, if name == "www" { request.must_staple() } else { request });
        }
        let revoked = site.live("shop", LeafRequest::new("shop.example.org"));
        site.lab.revoke(&revoked, None);
        let unknown = site.live("new", LeafRequest::new("new.example.org"));
        site.lab.forget(&unknown);
        // Port 1 of the loopback has nobody.
        let nobody =
            LeafRequest::new("intranet.example.net").responder_urls(["http://127.0.0.1:1/"]);
        site.live("intranet", nobody);
        site.live("quiet", LeafRequest::new("quiet.example.net").no_aia());
        site.live_file("half", b"-----BEGIN CERTIFICATE-----\nMIIB");
        site
    }
}

/// The address of the agent's page.
fn address(agent: &Daemon) -> String {
    let text = agent.text();
    let (_, rest) = text.split_once("status page at ").expect("a status page");
    rest.split_whitespace().next().expect("an address").to_owned()
}

fn open(agent: &Daemon) -> Browser {
    let browser = Browser::start();
    browser.resize(1280, 1000);
    browser.prefer("light");
    browser.go(&address(agent));
    browser.until("document.body.dataset.ready === 'true'");
    browser
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn the_page_shows_sorts_filters_and_is_used_from_a_keyboard() {
    let site = Site::with_every_state();
    let agent = site.agent(RULE);
    let browser = open(&agent);
    shows_what_is_there(&browser);
    sorts(&browser);
    filters(&browser);
    opens_from_the_keyboard(&browser);
    is_light_dark_and_narrow(&browser);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

fn shows_what_is_there(browser: &Browser) {
    assert_eq!(
        browser.eval("document.getElementById('verdict').textContent"),
        "4 of 10 certificates need attention."
    );
    let states =
        browser.eval("[...document.querySelectorAll('tr.row .state')].map(e => e.textContent)");
    assert_eq!(
        words(&states)[..6],
        ["Revoked", "Unknown", "No staple", "Unreadable", "No responder", "Fresh"],
        "what needs a person comes first"
    );
    let said = "[...document.querySelectorAll('tr.row.fresh svg.bar')].map(e => e.getAttribute('aria-label'))";
    for label in words(&browser.eval(said)) {
        // Half of the life is two days; a refresh is due each day at least.
        assert!(label.contains("ends in 3d 23h, next refresh in 2"), "{label}");
    }
    // Now is where the bar begins, since the staple is new, and the refresh is a day later at most.
    let marks = "(() => { const bar = document.querySelector('tr.row.fresh svg.bar'); \
                 const at = (mark) => bar.querySelector(mark).getBoundingClientRect(); \
                 const part = (x) => (x - at('.track').x) / at('.track').width; \
                 return [part(at('.now').x), part(at('.refresh').x)]; })()";
    let marks = browser.eval(marks);
    let (now, refresh) = (marks[0].as_f64().unwrap(), marks[1].as_f64().unwrap());
    assert!(now.abs() < 0.02 && (0.2..0.3).contains(&refresh), "{marks}");
}

fn sorts(browser: &Browser) {
    let sort = |key: &str| browser.click(&format!("th[data-sort={key}] button"));
    let sorted = |key: &str, how: &str| {
        browser
            .until(&format!("document.querySelector('th[data-sort={key}]').ariaSort === '{how}'"));
    };
    sort("name");
    sorted("name", "ascending");
    let names = browser.eval(NAMES);
    assert!(words(&names).is_sorted(), "{names}");
    sort("name");
    sorted("name", "descending");
    assert!(words(&browser.eval(NAMES)).is_sorted_by(|a, b| a >= b));
    sort("left");
    sorted("left", "ascending");
    let left =
        browser.eval("[...document.querySelectorAll('tr.row')].map(e => e.cells[3].textContent)");
    let left = words(&left);
    assert_eq!(left[..5], ["–"; 5], "what has no staple has the least left: {left:?}");
    assert!(left[5..].iter().all(|left| left.starts_with("3d")), "{left:?}");
    // From the keyboard too, and back.
    browser.press("t");
    sorted("left", "descending");
    sort("state");
    sorted("state", "ascending");
}

fn filters(browser: &Browser) {
    browser.press("/");
    browser.press("example.net qui");
    browser.until("document.querySelectorAll('tr.row').length === 1");
    assert_eq!(words(&browser.eval(NAMES)), ["quiet.example.net"]);
    browser.press("xyz");
    browser.until("!document.getElementById('none').hidden");
    browser.press(ESCAPE);
    browser.until("document.querySelectorAll('tr.row').length === 10");
    browser.click("button[data-state=fresh]");
    browser.until("document.querySelectorAll('tr.row').length === 5");
    assert_eq!(
        browser.eval("document.querySelector('button[data-state=fresh]').ariaPressed"),
        "true"
    );
    browser.click("button[data-state=fresh]");
    browser.until("document.querySelectorAll('tr.row').length === 10");
}

fn opens_from_the_keyboard(browser: &Browser) {
    let details = "(() => { const open = document.querySelector('tr.details:not([hidden])'); \
                   return open ? open.textContent : ''; })()";
    browser.eval("document.activeElement.blur()");
    browser.press(DOWN);
    browser.press(DOWN);
    browser.press(ENTER);
    let text = browser.eval(details);
    assert!(
        text.as_str().unwrap().contains("subjectO=certstatus lab, CN=new.example.org"),
        "{text}"
    );
    assert!(text.as_str().unwrap().contains("serial"), "{text}");
    // News from the agent leave the row open and the focus where it is.
    browser.eval("load()");
    assert_eq!(browser.eval("document.activeElement.ariaExpanded"), "true");
    browser.press(ESCAPE);
    assert_eq!(browser.eval(details), "");
    assert_eq!(browser.eval("document.activeElement.dataset.path.endsWith('/new.pem')"), true);
}

fn is_light_dark_and_narrow(browser: &Browser) {
    let background = "getComputedStyle(document.documentElement).backgroundColor";
    browser.eval("document.activeElement.blur()");
    let light = browser.eval(background);
    keep("light", &browser.picture());
    browser.prefer("dark");
    assert_ne!(browser.eval(background), light);
    keep("dark", &browser.picture());
    browser.prefer("light");
    browser.resize(390, 1400);
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.eval(fits), true, "nothing is wider than the window");
    keep("narrow", &browser.picture());
}

#[test]
fn a_thousand_certificates_are_a_page() {
    let site = Site::new(Duration::from_secs(4 * 86_400));
    for number in 0..1010 {
        let name = format!("host-{number:04}");
        site.live(&name, LeafRequest::new(format!("{name}.example.org")));
    }
    let agent = site.agent(RULE);
    let browser = open(&agent);
    assert_eq!(
        browser.eval("document.getElementById('verdict').textContent"),
        "All 1,010 staples are fresh."
    );
    let shows = |place: &str| {
        browser.until(&format!("document.getElementById('place').textContent === '{place}'"));
        words(&browser.eval(NAMES)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    browser.click("th[data-sort=name] button");
    browser.until("document.querySelector('th[data-sort=name]').ariaSort === 'ascending'");
    let first = shows("1–200 of 1,010");
    assert_eq!((&*first[0], first.len()), ("host-0000.example.org", 200));
    keep("many", &browser.picture());
    // Pages by their button, by a key, and by moving beyond the last row.
    browser.click("#next");
    assert_eq!(shows("201–400 of 1,010")[0], "host-0200.example.org");
    browser.press("n");
    assert_eq!(shows("401–600 of 1,010").len(), 200);
    browser.eval("[...document.querySelectorAll('tr.row')].at(-1).focus()");
    browser.press(DOWN);
    assert_eq!(shows("601–800 of 1,010")[0], "host-0600.example.org");
    browser.until(
        "document.activeElement.querySelector('.name').textContent === 'host-0600.example.org'",
    );
    browser.press(UP);
    assert_eq!(shows("401–600 of 1,010")[199], "host-0599.example.org");
    browser.until(
        "document.activeElement.querySelector('.name').textContent === 'host-0599.example.org'",
    );
    // The agent filters, so that what is on no page now is found, too; and then there is one page.
    browser.press("/");
    browser.press("HOST-1009");
    browser.until("document.querySelectorAll('tr.row').length === 1");
    assert_eq!(words(&browser.eval(NAMES)), ["host-1009.example.org"]);
    assert_eq!(browser.eval("document.getElementById('pager').hidden"), true);
    browser.press(ESCAPE);
    shows("1–200 of 1,010");
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

/// Keeps a picture for people.
fn keep(name: &str, png: &[u8]) {
    assert!(png.starts_with(b"\x89PNG"));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(directory.join(format!("agent-page-{name}.png")), png).expect("a picture");
}
