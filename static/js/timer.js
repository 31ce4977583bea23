// [data-timer data-started-at="ISO 8601"] shows the time since then, ticking. The server's clock rules:
// data-now says what time it was there when the page was made, so a wrong clock on this machine does no harm.
const pad = (n) => String(n).padStart(2, "0");
const loaded = Date.now();

function show(timer) {
  const { startedAt, now, stopAt } = timer.dataset;
  const skew = now ? Date.parse(now) - loaded : 0;
  const until = stopAt ? Math.min(Date.parse(stopAt), Date.now() + skew) : Date.now() + skew;
  const seconds = Math.max(0, Math.floor((until - Date.parse(startedAt)) / 1000));
  const text = `${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  const place = timer.querySelector("time") ?? timer;
  if (place.textContent !== text) place.textContent = text;
  if (stopAt) warn(Date.parse(stopAt) - Date.now() - skew);
}

// [data-ends-within="30"] is shown in the last 30 minutes before the timer stops, and read out then.
function warn(left) {
  const near = [...document.querySelectorAll("[data-ends-within]")]
    .filter((each) => left > 0 && left <= each.dataset.endsWithin * 60_000)
    .sort((one, other) => one.dataset.endsWithin - other.dataset.endsWithin)[0];
  for (const each of document.querySelectorAll("[data-ends-within]")) {
    const text = each === near ? each.dataset.text : "";
    if (each.textContent !== text) each.textContent = text;
  }
}

function tick() {
  document.querySelectorAll("[data-timer]").forEach(show);
}

tick();
setInterval(tick, 1000);
