// The status page: reads api/v1/staples and shows it. Rows are kept and filled again, so that
// neither the focus nor an open row is lost when news come. Text from certificates becomes text
// nodes and nothing else.
"use strict";

const EVERY_MS = 5000;
// As many rows as a browser lays out in a blink; a button shows the rest.
const PAGE = 1000;

// state of the API → label, mark, colours, rank (what needs a human first)
const STATES = {
  revoked: ["Revoked", "✕", "bad", 0],
  unknown: ["Unknown", "?", "bad", 1],
  missing: ["No staple", "✕", "bad", 2],
  unreadable: ["Unreadable", "!", "bad", 3],
  late: ["Late", "!", "late", 4],
  waiting: ["Waiting", "…", "wait", 5],
  no_responder: ["No responder", "–", "wait", 6],
  expired: ["Expired", "–", "wait", 7],
  fresh: ["Fresh", "✓", "fresh", 8],
};

const $ = (id) => document.getElementById(id);
const view = { data: null, offset: 0, sort: "state", down: false, filter: "", state: null, open: new Set(), limit: PAGE };
const rows = new Map();

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// The server's time, whatever the browser's clock says.
const now = () => Date.now() + view.offset;
const at = (time) => (time ? Date.parse(time) : NaN);

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  if (d > 0) return h ? `${d}d ${h}h` : `${d}d`;
  if (h > 0) return m ? `${h}h ${m}m` : `${h}h`;
  if (m > 0) return s % 60 ? `${m}m ${s % 60}s` : `${m}m`;
  return `${s}s`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
function day(ms) {
  const t = new Date(ms), two = (n) => String(n).padStart(2, "0");
  return `${t.getUTCDate()} ${MONTHS[t.getUTCMonth()]} ${two(t.getUTCHours())}:${two(t.getUTCMinutes())}`;
}

// The common name, which people look for, or all of the name, or the file's.
function shortName(one) {
  const found = /(?:^|, ?)CN=((?:\\.|[^,])+)/.exec(one.subject);
  if (found) return found[1].replace(/\\(.)/g, "$1");
  return one.subject || one.certificate.split("/").pop();
}

function makeRow(path) {
  const row = element("tr", "row"), details = element("tr", "details");
  row.tabIndex = 0;
  row.dataset.path = path;
  row.setAttribute("aria-expanded", "false");
  for (let i = 0; i < 5; i += 1) row.append(element("td"));
  row.cells[3].className = row.cells[4].className = "number";
  const state = element("span", "state");
  row.cells[0].append(state);
  const name = element("div", "name"), file = element("div", "path");
  const problem = element("div", "problem");
  row.cells[1].append(name, file, problem);
  details.hidden = true;
  const cell = element("td");
  cell.colSpan = 5;
  details.append(cell);
  return { row, details, state, name, file, problem, shown: "" };
}

// 4 of 100 parts on either side are for what lies outside of the window.
const LEFT = 4, RIGHT = 96;
function place(time, begin, end) {
  if (time < begin) return LEFT / 2;
  if (time >= end) return (100 + RIGHT) / 2;
  return LEFT + ((RIGHT - LEFT) * (time - begin)) / Math.max(1, end - begin);
}

function bar(one) {
  const begin = at(one.this_update), end = at(one.expires), refresh = at(one.refresh_at), t = now();
  const drawn = svg("svg", { class: "bar", role: "img" });
  const x = place(t, begin, end), percent = (value) => `${value.toFixed(2)}%`;
  drawn.append(svg("rect", { class: "track", x: percent(LEFT), width: percent(RIGHT - LEFT), y: 5, height: 8, rx: 4 }));
  const past = Math.min(Math.max(x, LEFT), RIGHT) - LEFT;
  if (past > 0) drawn.append(svg("rect", { class: "past", x: percent(LEFT), width: percent(past), y: 5, height: 8, rx: 4 }));
  drawn.append(svg("line", { class: "now", x1: percent(x), x2: percent(x), y1: 1, y2: 17 }));
  if (refresh) {
    const mark = svg("svg", { x: percent(place(refresh, begin, end)), y: 9, overflow: "visible" });
    mark.append(svg("path", { class: "refresh", d: "M0-5l4.5 5-4.5 5-4.5-5z" }));
    drawn.append(mark);
  }
  const words = t < end ? `ends in ${span(end - t)}` : `ended ${span(t - end)} ago`;
  const next = refresh ? `, next refresh ${refresh > t ? `in ${span(refresh - t)}` : "now"}` : "";
  const title = `Staple from ${one.this_update} to ${one.expires}, ${words}${next}`;
  drawn.setAttribute("aria-label", title);
  const tip = svg("title", {});
  tip.textContent = title;
  drawn.prepend(tip);
  const ends = element("div", "ends");
  ends.append(element("span", "", day(begin)), element("span", "", day(end)));
  return [drawn, ends];
}

function fill(kept, one) {
  const [label, mark, colours] = STATES[one.state] || [one.state, "?", "wait"];
  const { row } = kept, t = now();
  kept.one = one;
  row.className = `row ${colours}`;
  kept.state.textContent = label;
  kept.state.dataset.mark = mark;
  kept.name.textContent = shortName(one);
  if (one.must_staple) kept.name.append(element("span", "tag", "must-staple"));
  // The end of a long path tells more than its beginning; the mark keeps the slash in front.
  kept.file.textContent = `\u200e${one.certificate}`;
  kept.file.title = one.certificate;
  const failed = one.outputs.filter((output) => output.error);
  const problems = [one.file_error, ...failed.map((output) => output.error)].filter(Boolean);
  kept.problem.textContent = problems.join("; ");
  const window = row.cells[2];
  if (one.expires) {
    window.replaceChildren(...bar(one));
    if (one.note) window.append(element("div", "note", one.note));
  } else {
    window.replaceChildren(element("div", "note", one.note || ""));
  }
  const end = at(one.expires), refresh = at(one.refresh_at);
  row.cells[3].textContent = one.stapled ? (end > t ? span(end - t) : "expired") : "–";
  row.cells[4].textContent = refresh ? (refresh > t ? `in ${span(refresh - t)}` : "now") : "–";
  const open = view.open.has(one.certificate);
  row.setAttribute("aria-expanded", String(open));
  kept.details.hidden = !open;
  // What has not changed stays, so that it can be selected and copied.
  const shown = JSON.stringify(one);
  if (open && kept.shown !== shown) {
    kept.shown = shown;
    kept.details.cells[0].replaceChildren(facts(one));
  }
}

function facts(one) {
  const list = element("dl");
  const add = (term, text) => {
    if (text === null || text === undefined || text === "") return;
    list.append(element("dt", "", term), element("dd", "", text));
  };
  add("file", one.certificate);
  add("subject", one.subject);
  add("serial", one.serial);
  add("certificate ends", one.not_after);
  add("status", one.status);
  add("thisUpdate", one.this_update);
  add("nextUpdate", one.next_update);
  add("ends", one.expires);
  add("next refresh", one.refresh_at);
  one.responders.forEach((url) => add("responder", url));
  add("failed in a row", one.failures ? String(one.failures) : "");
  add("last error", one.error);
  for (const output of one.outputs) add(output.kind, output.error ? output.error : output.target);
  return list;
}

const KEYS = {
  state: (one) => (STATES[one.state] || [0, 0, 0, -1])[3],
  name: (one) => shortName(one).toLowerCase(),
  // What has no staple has no time left.
  left: (one) => (one.stapled && at(one.expires)) || 0,
  refresh: (one) => at(one.refresh_at) || Infinity,
};

function compare(a, b) {
  const key = KEYS[view.sort], x = key(a), y = key(b);
  const first = x < y ? -1 : x > y ? 1 : 0;
  if (first) return view.down ? -first : first;
  return KEYS.left(a) - KEYS.left(b) || (a.certificate < b.certificate ? -1 : 1);
}

function matches(one) {
  if (view.state && one.state !== view.state) return false;
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [one.certificate, one.subject, one.serial, ...one.responders, one.note, one.error, ...one.outputs.map((o) => o.target)].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function draw() {
  const { staples } = view.data;
  const found = staples.filter(matches).sort(compare);
  const shown = found.slice(0, view.limit);
  const wanted = [];
  for (const one of shown) {
    if (!rows.has(one.certificate)) rows.set(one.certificate, makeRow(one.certificate));
    const kept = rows.get(one.certificate);
    fill(kept, one);
    wanted.push(kept.row, kept.details);
  }
  const body = $("rows"), focused = document.activeElement;
  if (wanted.length !== body.children.length || wanted.some((row, i) => body.children[i] !== row)) {
    body.replaceChildren(...wanted);
    if (focused && focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }
  $("none").hidden = found.length > 0;
  $("none").textContent = staples.length ? "No certificate is like that." : "There is no certificate yet: no file is where the configuration looks.";
  $("more").hidden = found.length <= view.limit;
  $("more").textContent = `Show ${found.length - shown.length} more`;
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === view.sort) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function drawStates() {
  const counts = new Map();
  for (const one of view.data.staples) counts.set(one.state, (counts.get(one.state) || 0) + 1);
  const group = $("states");
  const wanted = Object.keys(STATES).filter((state) => counts.has(state) || state === view.state);
  const key = wanted.join();
  if (group.dataset.key !== key) {
    group.dataset.key = key;
    group.replaceChildren(...wanted.map((state) => {
      const chip = element("button", "", STATES[state][0]);
      chip.type = "button";
      chip.dataset.state = state;
      chip.append(element("b"));
      return chip;
    }));
  }
  for (const chip of group.children) {
    chip.lastChild.textContent = counts.get(chip.dataset.state) || 0;
    chip.setAttribute("aria-pressed", String(view.state === chip.dataset.state));
  }
}

function drawVerdict() {
  const { staples, health, host, version, config, hooks } = view.data;
  const verdict = $("verdict");
  verdict.textContent = health.summary;
  verdict.className = { failing: "bad", attention: "late" }[health.level] || "";
  const soonest = staples.filter((one) => one.stapled).map((one) => at(one.expires)).filter((end) => end > now()).sort((a, b) => a - b)[0];
  $("advice").textContent = soonest ? `The next staple to run out has ${span(soonest - now())} left.` : "";
  const trouble = [];
  if (config.error) trouble.push(`The configuration was changed and is not right, so the one before still holds. ${config.error}`);
  for (const hook of hooks) if (hook.error) trouble.push(`The command \u201c${hook.command}\u201d failed: ${hook.error}.`);
  $("trouble").hidden = !trouble.length;
  $("trouble").textContent = trouble.join("\n");
  $("host").textContent = host ? `on ${host}` : "";
  $("version").textContent = version;
  document.title = `${health.level === "good" ? "" : "● "}${health.summary} certstatus agent`;
}

function show() {
  if (!view.data) return;
  drawVerdict();
  drawStates();
  draw();
  document.body.dataset.ready = "true";
}

async function load() {
  try {
    const answer = await fetch("api/v1/staples", { cache: "no-store" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    view.data = await answer.json();
    view.offset = at(view.data.now) - Date.now();
    const there = new Set(view.data.staples.map((one) => one.certificate));
    for (const path of rows.keys()) if (!there.has(path)) rows.delete(path);
    show();
  } catch (error) {
    $("trouble").hidden = false;
    $("trouble").textContent = `The agent does not answer (${error.message}). What is below is as it was.`;
  }
}

function sortBy(key) {
  view.down = view.sort === key ? !view.down : false;
  view.sort = key;
  show();
}

function toggle(path) {
  if (!view.open.delete(path)) view.open.add(path);
  show();
}

function move(step) {
  const all = [...document.querySelectorAll("tr.row")];
  const here = all.indexOf(document.activeElement);
  const next = here < 0 ? all[step > 0 ? 0 : all.length - 1] : all[here + step];
  if (next) next.focus();
  else if (step < 0) $("filter").focus();
}

$("filter").addEventListener("input", (event) => {
  view.filter = event.target.value;
  view.limit = PAGE;
  show();
});
$("states").addEventListener("click", (event) => {
  const chip = event.target.closest("button");
  if (!chip) return;
  view.state = view.state === chip.dataset.state ? null : chip.dataset.state;
  show();
});
document.querySelector("thead").addEventListener("click", (event) => {
  const head = event.target.closest("th[data-sort]");
  if (head && event.target.closest("button")) sortBy(head.dataset.sort);
});
$("rows").addEventListener("click", (event) => {
  const row = event.target.closest("tr.row");
  if (row && !String(getSelection())) toggle(row.dataset.path);
});
$("more").addEventListener("click", () => {
  view.limit += PAGE;
  show();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === $("filter"), row = event.target.closest("tr.row");
  const act = () => {
    if (event.key === "Escape") {
      if (typing && view.filter) {
        $("filter").value = view.filter = "";
        show();
      } else if (row && view.open.has(row.dataset.path)) toggle(row.dataset.path);
      else if (typing) $("filter").blur();
      else if (view.state) {
        view.state = null;
        show();
      } else return false;
    } else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp" && !typing) move(-1);
    else if (typing) return false;
    else if (event.key === "/") $("filter").focus();
    else if (event.key === "t") sortBy("left");
    else if ((event.key === "Enter" || event.key === " ") && row) toggle(row.dataset.path);
    else return false;
    return true;
  };
  if (act()) event.preventDefault();
});

load();
setInterval(load, EVERY_MS);
// Between the answers the time goes on, where that is no work worth speaking of.
setInterval(() => {
  if (!document.hidden && view.data && view.data.staples.length <= 200) show();
}, 1000);
