"use strict";
// A form with data-passkey="add", "use" or "sign-in" creates or uses a passkey, and sends it in its field `credential`.
(() => {
  const { supported, create, get } = window.webauthnJSON;
  async function options(form) {
    if (form.dataset.passkey !== "sign-in") return JSON.parse(document.getElementById("passkey-options").textContent);
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    return (await response.json()).request_options;
  }
  async function ask(form) {
    const all = (await options(form));
    if (form.dataset.passkey !== "add") return get(all);
    Object.assign(all.publicKey.authenticatorSelection, { residentKey: "required", requireResidentKey: true, userVerification: "required" });
    return create(all);
  }
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button"), problem = form.querySelector("[data-problem]");
    const show = (text) => { problem.textContent = text; problem.hidden = !text; };
    if (!supported()) { show("This browser has no passkeys, or the address does not begin with https."); button.disabled = true; continue; }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      show("");
      button.disabled = true;
      try {
        form.elements.credential.value = JSON.stringify(await ask(form));
        form.submit();
      } catch (error) {
        show(error.name === "InvalidStateError" ? "This device has a passkey of your account already." : "No passkey was used: it was cancelled, or there is none for this account.");
        button.disabled = false;
      }
    });
  }
})();
