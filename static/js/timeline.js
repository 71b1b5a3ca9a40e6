"use strict";
// Order page: copy the answer, move between chart markers with the arrow keys, focus the opened event.
(() => {
  const showButtons = () => document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
  showButtons();
  new MutationObserver(showButtons).observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.lastChild.textContent = " Copied";
    setTimeout(() => { button.lastChild.textContent = " Copy customer answer"; }, 2000);
  });
  document.addEventListener("keydown", (event) => {
    const marker = document.activeElement?.closest?.(".marker");
    if (!marker) return;
    const markers = [...document.querySelectorAll(".lanes-drawing .marker")], at = markers.indexOf(marker);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: markers.length - 1 }[event.key];
    if (next === undefined || !markers[next]) return;
    event.preventDefault();
    markers[next].focus();
  });
  if (location.hash === "#event") document.getElementById("event")?.focus();
})();
