// Small comforts. Every page works without this file.
"use strict";

(() => {
  const every = (selector, act) => document.querySelectorAll(selector).forEach(act);

  // A button inside a password field that shows what was typed.
  every("button[data-reveal]", (button) => {
    const input = document.getElementById(button.dataset.reveal);
    if (!input) return;
    const show = (shown) => {
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    };
    input.classList.add("has-reveal");
    button.hidden = false;
    button.addEventListener("click", () => {
      const end = input.selectionEnd;
      show(button.getAttribute("aria-pressed") !== "true");
      input.focus();
      input.setSelectionRange(end, end);
    });
    // Browsers save and autofill only fields of type password.
    if (input.form) input.form.addEventListener("submit", () => show(false));
  });

  // Work before a guess: look for a number whose SHA-256 with the token begins with zero bits; the form waits for it.
  const solve = async (token, bits) => {
    const encoder = new TextEncoder();
    for (let first = 0; ; first += 256) {
      const hashes = await Promise.all(
        Array.from({ length: 256 }, (_, i) => crypto.subtle.digest("SHA-256", encoder.encode(`${token}:${first + i}`))),
      );
      const found = hashes.findIndex((hash) => new DataView(hash).getUint32(0) >>> (32 - bits) === 0);
      if (found >= 0) return String(first + found);
    }
  };
  every("[data-challenge]", (box) => {
    const form = box.closest("form");
    const solution = form.elements.namedItem("solution");
    if (!globalThis.crypto?.subtle) return;
    const solved = solve(box.dataset.challenge, Number(box.dataset.bits)).then((number) => {
      solution.value = number;
    });
    form.addEventListener("submit", (event) => {
      if (solution.value || event.submitter?.name === "way") return;
      event.preventDefault();
      event.stopImmediatePropagation();
      solved.then(() => form.requestSubmit(event.submitter));
    });
  });

  // One submission per click: a second one is ignored until the answer is there, or is overdue.
  const release = (form) => {
    delete form.dataset.sent;
    form.querySelectorAll("[aria-disabled]").forEach((button) => button.removeAttribute("aria-disabled"));
  };
  every("form[method=post]", (form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
      if (event.submitter) event.submitter.setAttribute("aria-disabled", "true");
      setTimeout(release, 10000, form);
    });
  });
  // The back button may bring this very page out of the browser's memory.
  addEventListener("pageshow", (event) => {
    if (event.persisted) every("form[data-sent]", release);
  });

  // Leave the first error under the cursor and under the screen reader (fields with an error have autofocus anyway).
  const wrong = document.querySelector("[aria-invalid=true]") || document.getElementById("form-errors");
  if (wrong && !wrong.autofocus) wrong.focus();

  // On a phone the side navigation is a scrolling row: show where one is.
  every(".side [aria-current]", (here) => here.scrollIntoView({ block: "nearest", inline: "center" }));

  every("button[data-copy]", (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () =>
      navigator.clipboard.writeText(source.textContent.trim()).then(() => {
        button.textContent = button.dataset.done;
      }),
    );
  });

  every("button[data-print]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => print());
  });

  // An open menu closes by Escape and by a click elsewhere.
  every("details.menu", (menu) => {
    addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
})();
