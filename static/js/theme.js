// The appearance changes at once; the form still posts it so that the next page knows.
const form = document.querySelector("form[data-theme-form]");

form?.addEventListener("change", (event) => {
  if (event.target.name !== "theme") return;
  document.documentElement.dataset.theme = event.target.value;
  send().catch(() => form.submit());
});

if (form) form.querySelector("button[type=submit]").hidden = true;

async function send() {
  const answer = await fetch(form.action, { method: "post", body: new FormData(form), redirect: "manual" });
  if (answer.status >= 400) throw new Error(String(answer.status));
}
