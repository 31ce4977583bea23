// A <details data-dialog> is an inline disclosure; with this module it opens as a modal <dialog>.
document.addEventListener("click", (event) => {
  const summary = event.target.closest("details[data-dialog] > summary");
  if (!summary) return;
  event.preventDefault();
  open(summary.parentElement);
});

function open(details) {
  const body = details.querySelector(":scope > .dialog-body");
  if (!body) return;
  const dialog = document.createElement("dialog");
  const title = body.querySelector("h2, h3");
  if (title) dialog.setAttribute("aria-label", title.textContent.trim());
  dialog.append(body, closeButton(details.dataset.closeLabel, dialog));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => putBack(details, body, dialog));
  details.append(dialog);
  // A closed <details> hides its children, so the page stays as it was and the dialog is in the top layer.
  details.open = true;
  dialog.showModal();
}

function putBack(details, body, dialog) {
  details.append(body);
  dialog.remove();
  details.open = false;
  details.querySelector("summary").focus();
}

function closeButton(label, dialog) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button-quiet dialog-close";
  button.textContent = label;
  button.addEventListener("click", () => dialog.close());
  return button;
}
