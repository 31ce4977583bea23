// Lets a passkey answer: the browser's reply goes into a hidden field, and the form is sent as any other.
const form = document.querySelector("form[data-passkey]");
const kinds = {
  create: ["parseCreationOptionsFromJSON", (publicKey) => navigator.credentials.create({ publicKey })],
  get: ["parseRequestOptionsFromJSON", (publicKey) => navigator.credentials.get({ publicKey })],
};

async function answer([parse, ask]) {
  const options = PublicKeyCredential[parse](JSON.parse(form.dataset.options));
  const credential = await ask(options);
  form.elements.answer.value = JSON.stringify(credential.toJSON());
  form.submit();
}

const kind = form && kinds[form.dataset.passkey];
if (kind && window.PublicKeyCredential?.[kind[0]]) {
  form.hidden = false;
  document.querySelector("[data-without-passkeys]")?.setAttribute("hidden", "");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer(kind).catch(() => {
      form.querySelector("[data-passkey-error]").textContent = form.dataset.failed;
    });
  });
}
