// A form of filters with data-autosubmit sends itself when a choice changes; typing still waits for the button.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.matches("[data-autosubmit]") && event.target.matches("select, [type=checkbox], [type=radio], [type=date]")) form.requestSubmit();
});
