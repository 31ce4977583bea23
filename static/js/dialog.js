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
  dialog.append(body, closeButton(details.dataset.closeLabel, dialog));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => putBack(details, body, dialog));
  document.body.append(dialog);
  readTitleFirst(dialog, body.querySelector("h2, h3"));
  dialog.showModal();
}

// The question is heard before its answers, and no answer is pressed by accident.
function readTitleFirst(dialog, title) {
  if (!title) return;
  dialog.setAttribute("aria-label", title.textContent.trim());
  title.tabIndex = -1;
  title.autofocus = true;
}

function putBack(details, body, dialog) {
  details.append(body);
  dialog.remove();
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
