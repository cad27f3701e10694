// Times in words, and pages that keep themselves up to date: what the server now writes differently is exchanged, and nothing else.
"use strict";

document.documentElement.classList.add("with-script");
for (const select of document.querySelectorAll("select[data-submit]")) select.addEventListener("change", () => select.form.submit());

// A form is sent once, however often its button is pressed; Ctrl+Enter sends what is being typed.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("textarea")) return;
  event.target.form.requestSubmit(event.target.form.querySelector("button.primary"));
});

const STEPS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [2592000, 86400, "day"]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function tellTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - new Date(time.dateTime)) / 1000;
    const step = STEPS.find(([limit]) => seconds < limit);
    const told = !step ? time.title.split(",")[0] : seconds < 10 ? "just now" : words.format(-Math.floor(seconds / step[1]), step[2]);
    if (time.textContent !== told) time.textContent = told;
  }
}

// By the name of a region or the id of a list's entry: the HTML that the server last wrote. What the reader did to it since does not count.
const written = new Map();

const regions = (root) => [...root.querySelectorAll("[data-live]")].map((element) => [`region ${element.dataset.live}`, element]);
const entries = (list) => [...list.children].filter((element) => element.id).map((element) => [`entry ${element.id}`, element]);
const lists = (root) => [...root.querySelectorAll("[data-live-list]")];

function remember(root) {
  for (const [name, element] of [...regions(root), ...lists(root).flatMap(entries)]) written.set(name, element.outerHTML);
}

// Someone types or chooses there: it stays until they are done.
function inUse(element) {
  const active = document.activeElement;
  if (active && element.contains(active) && active.matches("input, textarea, select")) return true;
  return [...element.querySelectorAll("textarea")].some((box) => box.value !== box.defaultValue);
}

function exchange(name, old, fresh) {
  const html = fresh.outerHTML;
  if (written.get(name) === html || inUse(old)) return;
  written.set(name, html);
  const folds = (element) => [...(element.matches("details") ? [element] : []), ...element.querySelectorAll("details")];
  const opened = folds(old).map((fold) => fold.open);
  const logs = [...old.querySelectorAll(".log")].map((log) => [log.scrollTop, log.scrollTop + log.clientHeight >= log.scrollHeight - 8]);
  old.replaceWith(fresh);
  folds(fresh).forEach((fold, index) => { if (index < opened.length) fold.open = opened[index]; });
  fresh.querySelectorAll(".log").forEach((log, index) => {
    const [top, atEnd] = logs[index] ?? [0, true];
    log.scrollTop = atEnd ? log.scrollHeight : top;
  });
}

function renew(page) {
  const fresh = new Map(regions(page));
  for (const [name, old] of regions(document)) if (fresh.has(name)) exchange(name, old, fresh.get(name));
  for (const list of lists(document)) {
    const now = page.querySelector(`[data-live-list="${list.dataset.liveList}"]`);
    if (now) renewList(list, entries(now), new Map(entries(list)));
  }
  document.title = page.title;
  document.body.dataset.every = page.body.dataset.every ?? "";
}

function renewList(list, wanted, present) {
  let before = null;
  for (const [name, fresh] of wanted) {
    if (present.has(name)) exchange(name, present.get(name), fresh);
    else {
      written.set(name, fresh.outerHTML);
      if (before) before.after(fresh);
      else list.prepend(fresh);
    }
    before = document.getElementById(name.slice("entry ".length));
  }
  const names = new Set(wanted.map(([name]) => name));
  for (const [name, old] of present) if (!names.has(name) && !inUse(old)) old.remove();
}

let tag = null;

async function look() {
  const every = Number(document.body.dataset.every);
  if (!every) return;
  try {
    if (!document.hidden) {
      const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.ok && answer.status === 200) {
        tag = answer.headers.get("ETag");
        renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
        tellTimes();
      }
    }
  } catch {
    // The server is away, perhaps restarting: the next look will tell.
  }
  setTimeout(look, every);
}

remember(document);
tellTimes();
setInterval(tellTimes, 10000);
for (const log of document.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
if (document.body.dataset.every) setTimeout(look, Number(document.body.dataset.every));
