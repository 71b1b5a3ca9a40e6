"use strict";
// Keyboard shortcuts: "/" search, "g" and a letter open a section, "?" lists the shortcuts, Esc closes.
// Inactive in fields and dialogs; single-letter shortcuts can be turned off in the dialog.
(() => {
  const FIELD = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]";
  const dialog = document.getElementById("keys"), checkbox = document.getElementById("keys-on");
  const isEnabled = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  let sectionKeyUntil = 0; // a letter before this time, after "g", opens a section
  document.documentElement.dataset.keys = isEnabled() ? "on" : "off";
  if (checkbox) {
    checkbox.checked = isEnabled();
    checkbox.addEventListener("change", () => {
      document.documentElement.dataset.keys = checkbox.checked ? "on" : "off";
      try { localStorage.setItem("keys", checkbox.checked ? "on" : "off"); } catch { /* this page only */ }
    });
  }
  const field = document.getElementById("search");
  let focusedBefore = null; // Esc in the search field returns to it
  const search = () => {
    if (document.activeElement !== field) focusedBefore = document.activeElement;
    field?.focus();
    field?.select();
  };
  function openFilter(opener) {
    opener.click();
    opener.closest("details[open]")?.querySelector("select, input:not([type=hidden])")?.focus();
  }
  const copyLink = () => document.dispatchEvent(new CustomEvent("copy:page"));
  const show = () => dialog && !dialog.open && dialog.showModal();
  for (const button of document.querySelectorAll("button[data-keys]")) button.addEventListener("click", show);
  dialog?.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key === "Escape") {
      const menu = target.closest("details.menu[open]");
      if (menu) { event.preventDefault(); menu.open = false; menu.querySelector("summary")?.focus(); }
      else if (target.matches(FIELD) && (target.ariaExpanded !== "true" || !target.value) && !target.closest("dialog")) {
        target.blur();
        if (target === field && focusedBefore?.isConnected) focusedBefore.focus();
      }
      return;
    }
    if (key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      return search();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!isEnabled() || target.matches(FIELD) || document.querySelector("dialog[open]")) return;
    if (Date.now() < sectionKeyUntil) {
      sectionKeyUntil = 0;
      const link = document.querySelector(`.rail a[data-key="${CSS.escape(key)}"]`);
      if (link) { event.preventDefault(); event.stopImmediatePropagation(); location.assign(link.href); }
      return;
    }
    if (key === "g") sectionKeyUntil = Date.now() + 1200;
    else if (key === "/") { event.preventDefault(); search(); }
    else if (key === "?") { event.preventDefault(); show(); }
    else if (key === "p" && !document.querySelector("[data-pause]")) document.getElementById("freshness")?.click();
    else if (key === "f" && document.querySelector("[data-filter]")) { event.preventDefault(); openFilter(document.querySelector("[data-filter]")); }
    else if (key === "l") copyLink();
  }, true);
})();
