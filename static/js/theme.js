"use strict";
// Runs before the first paint: apply the saved theme (or the system's) and row height. Then switch them.
(() => {
  const ORDER = ["system", "light", "dark"], root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const saved = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const save = (name, value) => { try { localStorage.setItem(name, value); } catch { /* applies to this page only */ } };
  let wanted = ORDER.includes(saved("theme")) ? saved("theme") : "system";
  function apply() {
    const theme = wanted === "system" ? (dark.matches ? "dark" : "light") : wanted;
    const changed = root.dataset.theme !== theme;
    root.dataset.theme = theme;
    root.dataset.themeWanted = wanted;
    if (changed) document.dispatchEvent(new CustomEvent("theme:change", { detail: { theme } }));
    for (const label of document.querySelectorAll("[data-theme-text]")) label.textContent = `Theme: ${wanted}`;
  }
  function choose(next) {
    wanted = next;
    save("theme", next);
    apply();
  }
  apply();
  root.dataset.clipboard = navigator.clipboard ? "on" : "off"; // no clipboard: no button that copies
  for (const name of ["density", "silent"]) root.dataset[name] = saved(name) || "";
  dark.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key !== "theme") return;
    wanted = ORDER.includes(event.newValue) ? event.newValue : "system";
    apply();
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const label of document.querySelectorAll("[data-preference]")) {
      const { preference } = label.dataset, checkbox = label.querySelector("input");
      checkbox.checked = root.dataset[preference] === checkbox.value;
      checkbox.addEventListener("change", () => save(preference, (root.dataset[preference] = checkbox.checked ? checkbox.value : "")));
    }
    apply();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-choose-theme]")) choose(ORDER[(ORDER.indexOf(wanted) + 1) % ORDER.length]);
  });
})();
