/** Puts a message where `.errors` stands inside `parent`; being an alert, it is also read out. */
export function showError(parent, message) {
  const error = document.createElement("p");
  error.className = "error";
  error.dataset.testid = "error";
  error.setAttribute("role", "alert");
  error.textContent = message;
  parent.querySelector(".errors").replaceChildren(error);
  return error;
}

/** The same for what is no error. */
export function showNotice(parent, message) {
  const notice = showError(parent, message);
  notice.classList.add("notice");
  notice.dataset.testid = "notice";
}

/** Puts a message below one field and ties it to it for those who hear it. */
export function showFieldError(input, message) {
  const error = document.createElement("p");
  error.className = "error";
  error.dataset.testid = "error";
  error.dataset.field = input.name;
  error.id = `${input.id}-error`;
  error.textContent = message;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${input.dataset.describedBy ?? ""} ${error.id}`.trim());
  input.closest(".field").append(error);
}

export function clearErrors(parent) {
  for (const error of parent.querySelectorAll(".error")) error.remove();
  for (const input of parent.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.setAttribute("aria-describedby", input.dataset.describedBy ?? "");
  }
}

/** Keeps `error` telling the seconds left, then takes it away. */
export function countDown(error, seconds, textFor) {
  const end = Date.now() + seconds * 1000;
  // Read out once, not every second.
  error.setAttribute("aria-live", "off");
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0 && error.isConnected) {
      error.textContent = textFor(left);
    } else {
      clearInterval(timer);
      error.remove();
    }
  }, 500);
}
