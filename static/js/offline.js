// A page with [data-offline] sends no form while there is no network: the page, and what was typed in it, would
// be gone. It says so there. Stop, pressed then, remembers when, also through a reload, and is sent with it once
// it is pressed again.
const line = document.querySelector("[data-offline]");
const timer = document.querySelector("[data-timer]");
const now = timer?.dataset.now;
// Another timer began at another moment, so what was kept of this one never counts for that.
const stopOf = `stop of ${timer?.dataset.startedAt}`;
// The site's clock rules, as in timer.js.
const skew = now ? Date.parse(now) - Date.now() : 0;
const withheld = new Set();
let unheard = false;

const offline = () => unheard || !navigator.onLine;
const place = () => document.querySelector("input[name=pressed_at]");

function say() {
  const { away, kept, stopped, back, again, stopAgain } = line.dataset;
  const stop = place()?.value;
  const parts = offline() ? [away, stop ? stopped : kept] : [back, stop ? stopAgain : again];
  const text = parts.slice(0, withheld.size ? 2 : Number(offline())).join(" ");
  line.textContent = stop ? text.replace("{time}", onClock(stop)) : text;
}

function onClock(moment) {
  const { lang } = document.documentElement;
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: line.dataset.zone };
  return new Intl.DateTimeFormat(lang, clock).format(Date.parse(moment));
}

function withhold(event) {
  const { target: form, submitter } = event;
  if (form.method !== "post" || !offline()) return;
  event.preventDefault();
  const when = form.querySelector("input[name=pressed_at]");
  if (when) remember(when);
  form.closest("dialog")?.close();
  withheld.add(form);
  say();
  // It was only the site of which nothing was heard; perhaps it is there again.
  if (navigator.onLine) lookAgain().then(() => unheard || form.requestSubmit(submitter));
}

function remember(when) {
  when.value ||= new Date(Date.now() + skew).toISOString();
  sessionStorage.setItem(stopOf, when.value);
}

// A phone that loads a sleeping page anew has not forgotten what was pressed in it.
function recall() {
  const when = timer && place();
  const kept = when && sessionStorage.getItem(stopOf);
  if (!kept) return;
  when.value = kept;
  withheld.add(when.form);
  say();
}

async function lookAgain() {
  try {
    await fetch(import.meta.url, { method: "HEAD", cache: "no-store" });
    heard(true);
  } catch {
    heard(false);
  }
}

function heard(there) {
  unheard = !there;
  say();
}

if (line) {
  addEventListener("offline", say);
  addEventListener("online", lookAgain);
  // Before unsaved.js takes the form for sent.
  document.addEventListener("submit", withhold, true);
  document.addEventListener("htmx:sendError", () => heard(false));
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    heard(true);
    // The page is not shown anew, which a missed hour asks for, under what still waits in it.
    if (withheld.size) event.preventDefault();
  });
  recall();
  if (!navigator.onLine) say();
}
