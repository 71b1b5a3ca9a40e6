"use strict";
// Buttons with data-copy copy the text of the element with that id, and say so for two seconds.
(() => {
  const show = () => document.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = !navigator.clipboard; });
  show();
  for (const id of ["main", "preview"]) {
    const element = document.getElementById(id);
    if (element) new MutationObserver(show).observe(element, { childList: true, subtree: true });
  }
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    const label = button.lastElementChild, text = label.textContent;
    if (text === "Copied") return;
    label.textContent = "Copied";
    document.dispatchEvent(new CustomEvent("live:say", { detail: { text: "Copied" } }));
    setTimeout(() => { label.textContent = text; }, 2000);
  });
})();
