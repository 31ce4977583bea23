// <button data-copy="text" hidden>: shown only where the clipboard can be written.
const reveal = (root) => {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
};

reveal(document);
document.addEventListener("htmx:load", (event) => reveal(event.target));

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const said = button.querySelector("[aria-live]") ?? button;
  const before = said.textContent;
  if (before === button.dataset.copiedLabel) return;
  said.textContent = button.dataset.copiedLabel;
  setTimeout(() => { said.textContent = before; }, 2000);
});
