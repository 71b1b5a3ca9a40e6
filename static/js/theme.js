"use strict";
// Runs before the first paint: apply the saved theme or the system's. Then switch: system, light, dark.
(() => {
  const ORDER = ["system", "light", "dark"], root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const savedTheme = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  let wanted = ORDER.includes(savedTheme()) ? savedTheme() : "system";
  function apply() {
    const theme = wanted === "system" ? (dark.matches ? "dark" : "light") : wanted;
    const changed = root.dataset.bsTheme !== theme;
    root.dataset.bsTheme = theme;
    root.dataset.themeWanted = wanted;
    if (changed) document.dispatchEvent(new CustomEvent("theme:change", { detail: { theme } }));
    const label = document.querySelector("#theme [data-text]");
    if (label) label.textContent = `Theme: ${wanted}`;
  }
  function choose(next) {
    wanted = next;
    try { localStorage.setItem("theme", next); } catch { /* applies to this page only */ }
    apply();
  }
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key !== "theme") return;
    wanted = ORDER.includes(event.newValue) ? event.newValue : "system";
    apply();
  });
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (button) button.hidden = false;
    apply();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#theme")) choose(ORDER[(ORDER.indexOf(wanted) + 1) % ORDER.length]);
  });
})();
