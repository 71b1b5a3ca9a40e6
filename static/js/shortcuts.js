"use strict";
// Keys of the frame: "/" search, "g" and a letter go to a section, "?" lists the keys, Esc leaves.
// Dead inside fields and dialogs; single letters can be turned off in the list.
(() => {
  const FIELD = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]";
  const list = document.getElementById("keys"), on = document.getElementById("keys-on");
  const read = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  let waiting = 0; // until when a letter after "g" is awaited
  document.documentElement.dataset.keys = read() ? "on" : "off";
  if (on) {
    on.checked = read();
    on.addEventListener("change", () => {
      document.documentElement.dataset.keys = on.checked ? "on" : "off";
      try { localStorage.setItem("keys", on.checked ? "on" : "off"); } catch { /* this page only */ }
    });
  }
  const search = () => {
    const field = document.getElementById("search");
    field?.focus();
    field?.select();
  };
  const show = () => list && !list.open && list.showModal();
  for (const button of document.querySelectorAll("button[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", show);
  }
  list?.addEventListener("click", (event) => event.target === list && list.close());
  document.addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "Escape") {
      const menu = target.closest("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary")?.focus(); }
      else if (target.matches(FIELD) && target.ariaExpanded !== "true" && !target.closest("dialog")) target.blur();
      return;
    }
    if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      return search();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!read() || target.matches(FIELD) || document.querySelector("dialog[open]")) return;
    if (Date.now() < waiting) {
      waiting = 0;
      const link = document.querySelector(`.rail a[data-key="${CSS.escape(key)}"]`);
      if (link) { event.preventDefault(); event.stopImmediatePropagation(); location.assign(link.href); }
      return;
    }
    if (key === "g") waiting = Date.now() + 1200;
    else if (key === "/") { event.preventDefault(); search(); }
    else if (key === "?") { event.preventDefault(); show(); }
  }, true);
})();
