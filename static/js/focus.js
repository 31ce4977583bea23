// After a refused form the summary of its errors takes the focus, so that it is read first.
const summaryIn = (root) => (root.matches?.("[data-focus]") ? root : root.querySelector("[data-focus]"));

// Whoever was faster than this file, and went to a field themselves, stays there.
const { activeElement, body } = document;
if (activeElement === body || activeElement?.autofocus) summaryIn(document)?.focus();

// htmx says of the body too that it is loaded, a while after the page is: by then a person has moved on.
document.addEventListener("htmx:load", (event) => {
  if (event.target !== body) summaryIn(event.target)?.focus();
});
