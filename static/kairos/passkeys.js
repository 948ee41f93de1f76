// Passkeys: asks the browser, fills the answer into a form and sends that. Every page has another way without this file.
"use strict";

(() => {
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  const Key = window.PublicKeyCredential;
  if (!Key || !Key.parseRequestOptionsFromJSON || !Key.parseCreationOptionsFromJSON) return;
  const ROUND = 4 * 60 * 1000; // a challenge lives five minutes
  const ROUNDS = 15;
  let autofill = null; // what can be taken back: only one request may run at a time
  const busy = () => forms.some((form) => form.dataset.busy);

  const ask = async (form) => {
    const body = new URLSearchParams(new FormData(form));
    body.delete("state");
    body.delete("answer");
    const answer = await fetch(form.dataset.options, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const send = (form, state, credential) => {
    sessionStorage.setItem("passkey", credential.id);
    form.elements.state.value = state;
    form.elements.answer.value = JSON.stringify(credential.toJSON());
    form.submit();
  };

  const run = async (form) => {
    const { options, state } = await ask(form);
    if (form.dataset.passkey === "create")
      return send(form, state, await navigator.credentials.create({ publicKey: Key.parseCreationOptionsFromJSON(options) }));
    return send(form, state, await navigator.credentials.get({ publicKey: Key.parseRequestOptionsFromJSON(options) }));
  };

  const offer = async (form) => {
    if (!Key.isConditionalMediationAvailable || !(await Key.isConditionalMediationAvailable())) return;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { options, state } = await ask(form);
      if (busy()) return; // the button was pressed meanwhile: two requests at once, and the browser refuses one
      const mine = new AbortController();
      autofill = mine;
      const old = setTimeout(() => mine.abort("old"), ROUND);
      try {
        const publicKey = Key.parseRequestOptionsFromJSON(options);
        return send(form, state, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: mine.signal }));
      } catch {
        if (mine.signal.reason !== "old") return;
      } finally {
        clearTimeout(old);
      }
    }
  };

  for (const form of forms) {
    const button = form.querySelector("button");
    const status = form.querySelector("[data-status]");
    form.hidden = false;
    button.addEventListener("click", async () => {
      if (form.dataset.busy) return;
      form.dataset.busy = "yes";
      status.textContent = "";
      if (autofill) autofill.abort("button");
      try {
        await run(form);
      } catch (error) {
        const known = error.name === "InvalidStateError";
        status.textContent = known ? form.dataset.known : error.name === "NotAllowedError" ? form.dataset.cancelled : form.dataset.failed;
        if ("autofill" in form.dataset) offer(form).catch(() => {});
      } finally {
        delete form.dataset.busy;
      }
    });
    if ("autofill" in form.dataset) offer(form).catch(() => {});
  }
  document.querySelectorAll("[data-passkey-missing]").forEach((text) => (text.hidden = true));
  document.querySelectorAll("[data-passkey-or], [data-passkey-way]").forEach((part) => (part.hidden = false));

  // Whether to offer a passkey after a sign-in with a password: only where this device could hold one.
  const capable = document.querySelectorAll("input[data-passkey-capable]");
  if (capable.length && Key.isUserVerifyingPlatformAuthenticatorAvailable)
    Key.isUserVerifyingPlatformAuthenticatorAvailable().then((can) => capable.forEach((input) => (input.value = can ? "1" : "")));

  // Signal API: password managers learn which passkeys are gone, and what the account is called.
  const signal = (name, facts) => {
    if (Key[name]) Key[name](facts).catch(() => {});
  };
  const all = document.querySelector("[data-passkey-signals]");
  if (all) {
    const { rpId, userId, accepted, name } = all.dataset;
    signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds: accepted.split(" ").filter(Boolean) });
    signal("signalCurrentUserDetails", { rpId, userId, name, displayName: name });
  }
  const gone = document.querySelector("[data-passkey-unknown]");
  const credentialId = sessionStorage.getItem("passkey");
  if (gone && credentialId) signal("signalUnknownCredential", { rpId: gone.dataset.rpId, credentialId });
})();
