import { explain, tooFast } from "./api.js";
import { clearErrors, countDown, showError, showFieldError } from "./notice.js";

/** Does what a form asks for, once at a time, and shows what the server says of it where it belongs. */
export function onSubmit(form, act) {
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    const fields = Object.fromEntries(new FormData(form));
    if (!allFilled(form)) return;
    button.setAttribute("aria-busy", "true");
    try {
      await act(fields, event.submitter);
    } catch (error) {
      refused(form, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

// Only what needs no rule is checked here; what an address or a password must be like, the server says.
function allFilled(form) {
  const missing = [...form.querySelectorAll("input")].filter((input) => input.value.trim() === "");
  for (const input of missing) showFieldError(input, `${input.labels[0].textContent.trim()} is missing.`);
  missing[0]?.focus();
  return missing.length === 0;
}

function refused(form, error) {
  // A code that was refused is not sent again.
  for (const input of form.querySelectorAll("[autocomplete=one-time-code]")) input.value = "";
  if (error.status === 409 && form.elements.email) {
    showFieldError(form.elements.email, error.message);
    form.elements.email.focus();
    return;
  }
  const placed = error.fields?.map(({ pointer, detail }) => {
    const input = form.elements[pointer.split("/").at(-1)];
    if (input) showFieldError(input, sentence(detail));
    return input;
  });
  const first = placed?.find(Boolean);
  if (first) {
    first.focus();
    return;
  }
  const shown = showError(form, explain(error));
  if (error.retryAfter) countDown(shown, error.retryAfter, tooFast);
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Shows a password, or hides it again. */
export function reveal(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const shown = input.type === "text";
  input.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
}
