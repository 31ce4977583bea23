// After a refused form the summary of its errors takes the focus, so that it is read first.
const focusSummary = (root) => root.querySelector("[data-focus]")?.focus();

focusSummary(document);
document.addEventListener("htmx:load", (event) => focusSummary(event.target));
