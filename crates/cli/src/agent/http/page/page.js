// The status page: reads api/v1/staples and shows it. There may be a hundred thousand certificates, so
// the agent sorts, filters and counts them, and the page has some of them at a time. Rows are kept and
// filled again, so that neither the focus nor an open row is lost when news come. Text from
// certificates becomes text nodes and nothing else.
"use strict";

const EVERY_MS = 5000;
// The agent spends at most this part of its time on a page that is left open.
const SHARE = 1 / 20;
// As many rows as a browser lays out in a blink.
const PAGE = 200;
const TYPING_MS = 120;

// state of the API → label, mark, colours; what needs a human first
const STATES = {
  revoked: ["Revoked", "✕", "bad"],
  unknown: ["Unknown", "?", "bad"],
  missing: ["No staple", "✕", "bad"],
  unreadable: ["Unreadable", "!", "bad"],
  late: ["Late", "!", "late"],
  waiting: ["Waiting", "…", "wait"],
  expired: ["Expired", "–", "wait"],
  no_responder: ["No responder", "–", "wait"],
  fresh: ["Fresh", "✓", "fresh"],
};

const $ = (id) => document.getElementById(id);
const view = { data: null, offset: 0, sort: "state", down: false, filter: "", state: null, open: new Set(), page: 0 };
const rows = new Map();
const timers = { poll: 0, typing: 0 };
// Answers come in any order; those to older questions are of no interest.
let asked = 0;

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

const number = (count) => count.toLocaleString("en");

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
  kept.name.textContent = one.name;
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

function draw() {
  const { staples, total, matching, offset } = view.data;
  const wanted = [];
  for (const one of staples) {
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
  $("none").hidden = matching > 0;
  $("none").textContent = total ? "No certificate is like that." : "There is no certificate yet: no file is where the configuration looks.";
  $("pager").hidden = matching <= PAGE;
  $("place").textContent = `${number(offset + 1)}–${number(offset + staples.length)} of ${number(matching)}`;
  // A button that is disabled would lose the focus.
  $("previous").setAttribute("aria-disabled", String(offset === 0));
  $("next").setAttribute("aria-disabled", String(offset + staples.length >= matching));
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === view.data.sort) head.setAttribute("aria-sort", view.data.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function drawStates() {
  const counts = view.data.states;
  const group = $("states");
  const wanted = Object.keys(STATES).filter((state) => counts[state] || state === view.state);
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
    chip.lastChild.textContent = number(counts[chip.dataset.state] || 0);
    chip.setAttribute("aria-pressed", String(view.state === chip.dataset.state));
  }
}

function drawVerdict() {
  const { soonest, health, host, version, config, hooks } = view.data;
  const verdict = $("verdict");
  const summary = health.summary.replace(/\d{4,}/g, (digits) => number(Number(digits)));
  verdict.textContent = summary;
  verdict.className = { failing: "bad", attention: "late" }[health.level] || "";
  $("advice").textContent = soonest ? `The next staple to run out has ${span(at(soonest) - now())} left.` : "";
  const trouble = [];
  if (config.error) trouble.push(`The configuration was changed and is not right, so the one before still holds. ${config.error}`);
  for (const hook of hooks) if (hook.error) trouble.push(`The command \u201c${hook.command}\u201d failed: ${hook.error}.`);
  $("trouble").hidden = !trouble.length;
  $("trouble").textContent = trouble.join("\n");
  $("host").textContent = host ? `on ${host}` : "";
  $("version").textContent = version;
  document.title = `${health.level === "good" ? "" : "● "}${summary} certstatus agent`;
}

function show() {
  if (!view.data) return;
  drawVerdict();
  drawStates();
  draw();
  document.body.dataset.ready = "true";
}

function question() {
  const query = new URLSearchParams({ limit: PAGE, offset: view.page * PAGE, sort: view.sort, order: view.down ? "desc" : "asc" });
  if (view.state) query.set("state", view.state);
  if (view.filter.trim()) query.set("q", view.filter.trim());
  return `api/v1/staples?${query}`;
}

async function load() {
  clearTimeout(timers.poll);
  clearTimeout(timers.typing);
  asked += 1;
  const mine = asked, began = performance.now(), { sort, down } = view;
  try {
    const answer = await fetch(question(), { cache: "no-store" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const data = await answer.json();
    if (mine !== asked) return;
    const pages = Math.max(1, Math.ceil(data.matching / PAGE));
    if (view.page >= pages) {
      view.page = pages - 1;
      return load();
    }
    view.data = { ...data, sort, down };
    view.offset = at(data.now) - Date.now();
    const there = new Set(data.staples.map((one) => one.certificate));
    for (const path of rows.keys()) if (!there.has(path)) rows.delete(path);
    show();
  } catch (error) {
    if (mine !== asked) return;
    $("trouble").hidden = false;
    $("trouble").textContent = `The agent does not answer (${error.message}). What is below is as it was.`;
  }
  timers.poll = setTimeout(load, Math.max(EVERY_MS, (performance.now() - began) / SHARE));
}

function sortBy(key) {
  view.down = view.sort === key ? !view.down : false;
  view.sort = key;
  view.page = 0;
  load();
}

function only(state) {
  view.state = view.state === state ? null : state;
  view.page = 0;
  load();
}

function filter(text, wait) {
  view.filter = text;
  view.page = 0;
  clearTimeout(timers.typing);
  timers.typing = setTimeout(load, wait);
}

// Shows the next page or the one before. Gives whether there is one.
async function turn(step) {
  if (!view.data) return false;
  const { offset, staples, matching } = view.data;
  if (step > 0 ? offset + staples.length >= matching : offset === 0) return false;
  view.page += step;
  await load();
  return true;
}

function toggle(path) {
  if (!view.open.delete(path)) view.open.add(path);
  show();
}

async function move(step) {
  const all = () => [...document.querySelectorAll("tr.row")];
  const here = all().indexOf(document.activeElement);
  const next = here < 0 ? all().at(step > 0 ? 0 : -1) : step < 0 && here === 0 ? null : all()[here + step];
  if (next) next.focus();
  // Beyond the last row the next page begins, and before the first one the page before ends.
  else if (here >= 0 && (await turn(step))) all().at(step > 0 ? 0 : -1)?.focus();
  else if (step < 0) $("filter").focus();
}

$("filter").addEventListener("input", (event) => filter(event.target.value, TYPING_MS));
$("states").addEventListener("click", (event) => {
  const chip = event.target.closest("button");
  if (chip) only(chip.dataset.state);
});
document.querySelector("thead").addEventListener("click", (event) => {
  const head = event.target.closest("th[data-sort]");
  if (head && event.target.closest("button")) sortBy(head.dataset.sort);
});
$("rows").addEventListener("click", (event) => {
  const row = event.target.closest("tr.row");
  if (row && !String(getSelection())) toggle(row.dataset.path);
});
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === $("filter"), row = event.target.closest("tr.row");
  const act = () => {
    if (event.key === "Escape") {
      if (typing && view.filter) {
        $("filter").value = "";
        filter("", 0);
      } else if (row && view.open.has(row.dataset.path)) toggle(row.dataset.path);
      else if (typing) $("filter").blur();
      else if (view.state) only(view.state);
      else return false;
    } else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp" && !typing) move(-1);
    else if (typing) return false;
    else if (event.key === "/") $("filter").focus();
    else if (event.key === "t") sortBy("left");
    else if (event.key === "n") turn(1);
    else if (event.key === "p") turn(-1);
    else if ((event.key === "Enter" || event.key === " ") && row) toggle(row.dataset.path);
    else return false;
    return true;
  };
  if (act()) event.preventDefault();
});

load();
// Between the answers the time goes on.
setInterval(() => {
  if (!document.hidden) show();
}, 1000);
