// A button with data-tick-all="NAME" ticks every box of that name on the page; without script it is not there.
function boxes(name) {
  return document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-tick-all]");
  if (!button) return;
  const all = [...boxes(button.dataset.tickAll)];
  const some = all.some((box) => !box.checked);
  for (const box of all) box.checked = some;
});

for (const button of document.querySelectorAll("[data-tick-all]")) button.hidden = false;
document.addEventListener("htmx:afterSwap", () => {
  for (const button of document.querySelectorAll("[data-tick-all]")) button.hidden = false;
});
