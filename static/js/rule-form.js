"use strict";
// Show the sentence of a rule while it is entered, and its preview without leaving the page.
(() => {
  const form = document.querySelector("form[data-rule-form]");
  const draft = document.getElementById("rule-draft");
  if (!form || !draft) return;
  let timer = 0, number = 0;
  async function show(extra) {
    const mine = ++number;
    const data = new FormData(form);
    for (const name of ["fragment", ...extra]) data.set(name, "1");
    const response = await fetch("/rules/draft", { method: "POST", body: data });
    if (!response.ok || response.redirected) throw new Error(response.status);
    const text = await response.text();
    if (mine === number) draft.innerHTML = text;
  }
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show([]).catch(() => {}), 300);
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || button.name !== "preview") return;
    event.preventDefault();
    clearTimeout(timer);
    button.setAttribute("aria-busy", "true");
    show(["preview"]).catch(() => { draft.textContent = "The preview failed. Check the connection and try again."; }).finally(() => {
      button.removeAttribute("aria-busy");
      draft.scrollIntoView({ block: "nearest" });
    });
  });
})();
