// A form with data-unsaved that was changed asks, in the browser's own words, before the page is left.
// What is shown again after a refusal is as good as typed: data-unsaved="typed".
const changed = new Set(document.querySelectorAll("form[data-unsaved=typed]"));

document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-unsaved]");
  if (form) changed.add(form);
});

// One that offline.js has withheld is still here only.
document.addEventListener("submit", (event) => event.defaultPrevented || changed.delete(event.target));
// What autosave.js has kept on the server is not lost.
document.addEventListener("autosaved", (event) => changed.delete(event.target));

addEventListener("beforeunload", (event) => {
  const waiting = [...changed].some((form) => form.isConnected);
  // A browser refuses to ask, and complains, on a page that nobody has touched.
  if (waiting && navigator.userActivation?.hasBeenActive !== false) event.preventDefault();
});
