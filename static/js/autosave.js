// What is typed into a form[data-autosave="address"] is kept on the server every few seconds. A line with
// data-autosave-status says when, or why not. The plain button still saves, and is all that is needed.
const SOON = 2_000;
const AGAIN = 10_000;
const CONFLICT = 409;

function watch(form) {
  const { autosave: address, noNetwork, signedOut } = form.dataset;
  const line = form.querySelector("[data-autosave-status]");
  let version = form.dataset.autosaveVersion;
  let changed = false;
  let busy = false;
  let over = false;
  let timer = null;

  const say = (text) => {
    if (line.textContent !== text) line.textContent = text;
  };

  const typed = () => {
    const data = new FormData(form);
    // The mark would bring a page back after signing in, and this is none.
    data.delete("typed");
    data.set("autosave", version);
    return data;
  };

  function keepIn(wait) {
    if (!over) timer ??= setTimeout(keep, wait);
  }

  async function keep() {
    timer = null;
    if (busy || over || !changed) return;
    busy = true;
    changed = false;
    let wait = SOON;
    try {
      const answer = await fetch(address, { method: "POST", body: typed(), redirect: "manual" });
      await take(answer);
    } catch {
      changed = true;
      wait = AGAIN;
      say(noNetwork);
    } finally {
      busy = false;
      if (changed) keepIn(wait);
    }
  }

  async function take(answer) {
    if (answer.type === "opaqueredirect") {
      over = true;
      say(signedOut);
      return;
    }
    const { told, version: kept } = await answer.json();
    say(told);
    over ||= answer.status === CONFLICT;
    if (!answer.ok) return;
    version = kept;
    // The buttons send it too, where they replace what is kept.
    const known = form.querySelector("input[name=autosave]");
    if (known) known.value = kept;
    if (!changed) form.dispatchEvent(new CustomEvent("autosaved", { bubbles: true }));
  }

  form.addEventListener("input", () => {
    changed = true;
    keepIn(SOON);
  });
  form.addEventListener("submit", () => (over = true));
  addEventListener("online", () => changed && keep());
  addEventListener("pagehide", () => {
    if (changed && !over && !busy) navigator.sendBeacon(address, typed());
  });
}

document.querySelectorAll("form[data-autosave]").forEach(watch);
