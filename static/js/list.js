"use strict";
// A list of rows: keyboard, selection, preview, and the way back to the row.
// The region has data-list; a row is tr[data-id] with a .row-link, may have a checkbox name=ids, and data-preview,
// the URL of its preview, which is shown in the element #preview (templates/components/preview.html). The address names
// the current row and its open preview (`row`, `in` for a row of a group, `preview`), so that a link, a new load and
// Back show them; data-preview-of of the region is the URL of the preview of a row that is not on the page. On a detail page, #list-neighbors takes the
// links to the previous and the next row of the list that the reader came from. A click beside the controls of
// a row shows its preview, or opens it on a phone. In the preview, data-step="j" or "k" moves to another row.
// A row with data-rows, the URL of a table of rows, and a button data-expand opens and closes: the rows of the table
// have data-parent, the data-id of their row.
// Events on document: list:current ({ row }), list:selection ({ rows }) and list:expanded ({ row }); list:clear, which
// a page's own script sends, clears the selection.
(() => {
  const FIELD = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  const region = document.querySelector("[data-list]"), panel = document.getElementById("preview");
  const page = region?.closest("[data-list-page]");
  const rows = () => [...(region?.querySelectorAll("tr[data-id]") || [])].filter((row) => !row.hidden);
  const checkbox = (row) => row?.querySelector("input[name=ids]"), link = (row) => row?.querySelector(".row-link");
  const selected = () => rows().filter((row) => checkbox(row)?.checked);
  const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  const remember = (value) => { try { sessionStorage.setItem("list", JSON.stringify(value)); } catch { /* no way back */ } };
  const remembered = () => { try { return JSON.parse(sessionStorage.getItem("list")); } catch { return null; } };
  const withRow = (url, values) => {
    for (const name of ["row", "in", "preview"]) if (values[name]) url.searchParams.set(name, values[name]); else url.searchParams.delete(name);
    return url;
  };
  const here = () => { const url = withRow(new URL(location.href), {}); return url.pathname + url.search; };
  let current = null, anchor = null, shownAt = 0, addressTimer = 0;

  const FEW_MS = 100; // a held key moves through many rows; browsers limit the changes of an address
  function writeAddress() {
    clearTimeout(addressTimer);
    const isOpen = panel && !panel.hidden;
    if (!current && isOpen) return; // of a row that is not on the page
    const url = withRow(new URL(location.href), current ? { row: current.dataset.id, in: current.dataset.parent, preview: isOpen && "1" } : {});
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }
  function writeAddressSoon() {
    clearTimeout(addressTimer);
    addressTimer = setTimeout(writeAddress, FEW_MS);
  }

  function makeCurrent(row) {
    if (row === current) return;
    current?.classList.remove("current");
    (current = row)?.classList.add("current");
    emit("list:current", { row });
    writeAddressSoon();
    if (panel && !panel.hidden && row?.dataset.preview) show(row);
  }
  const byId = (id) => rows().find((row) => row.dataset.id === id);
  const focusRow = (row) => link(row)?.focus(); // focusin makes it the current row
  const isDocked = () => matchMedia("(width >= 1400px)").matches;
  // The focus stays in a preview that lies over the list.
  const goTo = (row) => (panel?.contains(document.activeElement) && !isDocked() ? (makeCurrent(row), row?.scrollIntoView({ block: "nearest" })) : focusRow(row));
  const rememberRow = (row) => (makeCurrent(row), writeAddress(), remember({ url: here(), id: row.dataset.id, links: rows().map((each) => link(each)?.getAttribute("href")) }));
  function mark() {
    for (const row of rows()) row.classList.toggle("selected", Boolean(checkbox(row)?.checked));
    emit("list:selection", { rows: selected() });
  }
  function check(targets, on) {
    for (const row of targets) if (checkbox(row)) checkbox(row).checked = on ?? !checkbox(row).checked;
    mark();
  }

  const childRows = (row) => [...region.querySelectorAll("tr[data-parent]")].filter((child) => child.dataset.parent === row.dataset.id);
  async function expand(row, open) {
    const button = row.querySelector("[data-expand]");
    if (!button || !row.dataset.rows) return false;
    if (open && !childRows(row).length) {
      button.ariaExpanded = "true"; // a second press waits
      const answer = await fetch(row.dataset.rows).catch(() => null);
      const table = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
      if (!table) { button.ariaExpanded = "false"; return true; }
      row.after(...table.querySelectorAll("tr[data-parent]"));
    }
    for (const child of childRows(row)) child.hidden = !open;
    button.ariaExpanded = String(open);
    emit("list:expanded", { row });
    return true;
  }
  const isOpen = (row) => row?.querySelector("[data-expand]")?.ariaExpanded === "true";
  function openOrEnter(row) {
    if (!row?.dataset.rows) return false;
    if (isOpen(row)) focusRow(childRows(row)[0]); else expand(row, true);
    return true;
  }
  function enterPreview() {
    if (!panel || panel.hidden || panel.contains(document.activeElement)) return false;
    panel.focus();
    return true;
  }
  function closeOrLeave(row) {
    if (row?.dataset.parent) focusRow(rows().find((other) => other.dataset.id === row.dataset.parent));
    else if (isOpen(row)) expand(row, false);
    else return false;
    return true;
  }

  // Beside the list, on wide screens, the preview is a region; elsewhere it is a dialog over the page, which takes the
  // focus, keeps it while Tab moves, and gives it back to the row.
  const paragraph = (className, textContent) => Object.assign(document.createElement("p"), { className, textContent });
  const setRole = () => panel.setAttribute("role", isDocked() ? "complementary" : "dialog");
  const closeButton = () => Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: "Close the preview" });
  function problem(text) {
    const header = document.createElement("header"), close = closeButton();
    close.dataset.closePreview = "";
    header.append(paragraph("problem", text), close);
    return [header];
  }
  async function load(url) {
    const answer = await fetch(url, { headers: { "X-Preview": "1" } }).catch(() => null);
    if (answer?.status === 403 || answer?.status === 404) return problem("This does not exist, or you may not see it.");
    const fresh = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
    return fresh ? [...fresh.childNodes] : problem("The preview could not be loaded. Open the page instead.");
  }
  async function show(row, url = row.dataset.preview) {
    const asked = (shownAt += 1), content = await load(url);
    if (asked !== shownAt) return;
    panel.replaceChildren(...content);
    panel.setAttribute("aria-label", `Preview of ${(row ? link(row) : panel.querySelector("h2"))?.textContent.trim() || "a row that is not on this page"}`);
    panel.hidden = false;
    page?.classList.add("has-preview");
    setRole();
    writeAddress();
    emit("list:preview", { row, panel });
    if (!isDocked()) panel.focus();
  }
  function hide() {
    shownAt += 1;
    panel.hidden = true;
    page?.classList.remove("has-preview");
    writeAddress();
    if (current) focusRow(current); else document.getElementById("main").focus();
  }
  function keepFocus(event) {
    const stops = [...panel.querySelectorAll("a[href], button, input, select, textarea, summary")].filter((each) => !each.disabled && each.checkVisibility());
    const [first, last] = [stops[0], stops.at(-1)], { activeElement } = document;
    const next = event.shiftKey ? (activeElement === first || activeElement === panel) && last : activeElement === last && first;
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
  function toggle(row) {
    if (!panel || !row?.dataset.preview) return false;
    if (panel.hidden) show(row); else hide();
    return true;
  }

  region?.addEventListener("focusin", ({ target }) => { const row = target.closest("tr[data-id]"); if (row) makeCurrent(row); });
  region?.addEventListener("change", ({ target }) => target.matches("input[name=ids]") && mark());
  region?.addEventListener("click", ({ target }) => {
    const row = target.closest("tr[data-id]"), expander = target.closest("[data-expand]");
    if (!row) return;
    if (expander) { expand(row, !isOpen(row)); return makeCurrent(row); }
    if (target.closest(".row-link")) return rememberRow(row);
    if (target.closest("a, button, input, label, summary, select") || !row.dataset.preview || String(getSelection())) return;
    if (matchMedia("(width < 768px)").matches) return link(row)?.click();
    focusRow(row);
    if (panel?.hidden) show(row);
  });
  document.addEventListener("change", ({ target }) => target.matches("[data-select-all]") && check(rows(), target.checked));
  document.addEventListener("list:clear", () => {
    for (const box of document.querySelectorAll("[data-select-all]")) box.checked = false;
    check(rows(), false);
  });
  if (panel) matchMedia("(width >= 1400px)").addEventListener("change", setRole);
  panel?.addEventListener("keydown", (event) => { if (event.key === "Tab" && !isDocked()) keepFocus(event); });
  panel?.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close-preview]")) return hide();
    const step = target.closest("[data-step]");
    if (step) return panel.focus(), press(step.dataset.step);
    if (current && target.closest("a[href]")?.pathname === link(current)?.pathname) rememberRow(current);
  });

  // The row of the address, else the one that the reader opened on this list.
  async function restore() {
    const asked = new URLSearchParams(location.search), id = asked.get("row");
    if (!id) return at?.url === here() && focusRow(byId(at.id));
    const group = asked.get("in") && byId(asked.get("in"));
    if (group) await expand(group, true);
    const row = byId(id), url = row?.dataset.preview || (/^\d+$/.test(id) && region.dataset.previewOf?.replace("{row}", id));
    focusRow(row);
    if (!row) notOnPage();
    if (panel && asked.get("preview") && url) show(row, url);
  }
  function notOnPage() {
    const note = document.createElement("div"), close = closeButton();
    [note.className, close.textContent, close.dataset.dismiss] = ["flash info", "Dismiss", ""];
    note.setAttribute("role", "status");
    note.append(paragraph("flash-text", "The row of this link is not on this page of the list."), close);
    document.getElementById("flashes")?.append(note);
  }
  const at = remembered();
  // After the script of the page, which listens to list:current.
  if (region) document.addEventListener("DOMContentLoaded", restore);
  const neighbors = document.getElementById("list-neighbors"), index = at?.links?.indexOf(location.pathname) ?? -1;
  if (neighbors && index >= 0) {
    neighbors.hidden = false;
    neighbors.querySelector("[data-position]").textContent = `${index + 1} of ${at.links.length}`;
    for (const [step, name] of [[-1, "previous"], [1, "next"]]) {
      const anchorElement = neighbors.querySelector(`[data-${name}]`), href = at.links[index + step];
      anchorElement.hidden = !href;
      if (href) anchorElement.href = href;
    }
  }

  function press(key) {
    const all = rows(), row = all.indexOf(current);
    if (key === "[" || key === "]") { const target = neighbors?.querySelector(key === "[" ? "[data-previous]" : "[data-next]"); if (!target || target.hidden) return false; location.assign(target.href); return true; }
    if (!region) return false;
    if (key === "j" || key === "k") goTo(all[Math.min(Math.max(row + (key === "j" ? 1 : -1), 0), all.length - 1)]);
    else if (key === "ArrowLeft" && panel?.contains(document.activeElement)) focusRow(current);
    else if (key === "ArrowRight") return openOrEnter(current) || enterPreview();
    else if (key === "ArrowLeft") return closeOrLeave(current);
    else if (key === " ") return toggle(current);
    else if (key === "Enter" && current && document.activeElement === panel) link(current)?.click();
    else if (key === "Escape" && panel && !panel.hidden) hide();
    else if (key === "x" && checkbox(current)) { check([current]); anchor = current; }
    else if (key === "X" && checkbox(current)) check(all.slice(Math.min(row, all.indexOf(anchor)), Math.max(row, all.indexOf(anchor)) + 1), true);
    else if (key === "*" && checkbox(all[0])) check(all, true);
    else return false;
    return true;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (document.documentElement.dataset.keys === "off" && event.key !== "Escape") return;
    if (event.target.matches(FIELD) || (event.key === " " && event.target.matches("button, summary, input"))) return;
    if (press(event.key)) event.preventDefault();
  });
})();
