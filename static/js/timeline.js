"use strict";
// The order's page: copy the answer, walk the marks with the arrow keys, bring an opened event into view.
(() => {
  const show = () => document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
  show();
  new MutationObserver(show).observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.lastChild.textContent = " Copied";
    setTimeout(() => { button.lastChild.textContent = " Copy answer"; }, 2000);
  });
  document.addEventListener("keydown", (event) => {
    const mark = document.activeElement?.closest?.(".mark");
    if (!mark) return;
    const marks = [...document.querySelectorAll(".lanes-drawing .mark")], at = marks.indexOf(mark);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: marks.length - 1 }[event.key];
    if (next === undefined || !marks[next]) return;
    event.preventDefault();
    marks[next].focus();
  });
  if (location.hash === "#event") document.getElementById("event")?.focus();
})();
