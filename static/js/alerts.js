"use strict";
// The alert inbox: keyboard shortcuts, selection, and live updates that do not move rows.
(() => {
  const form = document.getElementById("alerts-form"), list = document.getElementById("alerts-list");
  const toolbar = document.getElementById("alerts-actions") || document.getElementById("alert-actions");
  const label = document.getElementById("alerts-selected"), bar = document.getElementById("alerts-new");
  const rows = (within = list) => [...(within?.querySelectorAll("tr[data-id]") || [])];
  const checkbox = (row) => row?.querySelector("input[name=ids]"), selected = () => rows().filter((row) => checkbox(row)?.checked);
  const announce = (text) => document.dispatchEvent(new CustomEvent("live:say", { detail: { text } }));
  let current = null, last = null;

  list?.addEventListener("focusin", ({ target }) => {
    current?.classList.remove("current");
    (current = target.closest("tr")).classList.add("current");
    count();
  });
  const focusRow = (row) => row?.querySelector(".row-link").focus(); // focusin makes it the current row
  function count() {
    const total = selected().length;
    if (label) label.textContent = total > 1 ? `${total} alerts selected` : total ? "1 alert selected" : current ? "1 alert (current row)" : "0 alerts selected";
    if (form) for (const button of toolbar?.querySelectorAll(".btn:not(.menu-body *)") || []) button.disabled = button.ariaDisabled = !total && !current;
    for (const row of rows()) row.classList.toggle("selected", Boolean(checkbox(row)?.checked));
  }
  function check(targets, on) {
    for (const row of targets) if (checkbox(row)) checkbox(row).checked = on ?? !checkbox(row).checked;
    count();
  }

  // Update the rows that are shown from a fresh copy of the page; only announce new rows.
  function merge(page) {
    const fresh = rows(page.getElementById("alerts-list"));
    const known = new Map([...rows(page.getElementById("alerts-also")), ...fresh].map((row) => [row.dataset.id, row]));
    const shown = new Set(rows().map((row) => row.dataset.id));
    for (const row of rows()) {
      const next = known.get(row.dataset.id);
      if (!next) continue;
      row.classList.toggle("moved", !fresh.includes(next));
      for (const name of ["severity", "what", "since", "money", "owner", "state"]) {
        const [old, now] = [row, next].map((tr) => tr.querySelector(`.cell-${name}`));
        if (!old || !now || old.textContent.trim() === now.textContent.trim() || old.contains(document.activeElement)) continue;
        old.classList.toggle("changed", name !== "since");
        old.replaceChildren(...now.childNodes);
      }
    }
    const added = fresh.filter((row) => !shown.has(row.dataset.id)).length, newCount = document.getElementById("alerts-new-count");
    if (added && newCount.textContent !== String(added)) announce(added === 1 ? "1 new alert" : `${added} new alerts`);
    newCount.textContent = added;
    bar.hidden = !added;
  }
  if (list) {
    const url = new URL(location.href);
    url.searchParams.set("also", [...rows()].map((row) => row.dataset.id).join(","));
    for (const region of document.querySelectorAll("[data-live][id]")) region.dataset.liveUrl = url.pathname + url.search;
    document.addEventListener("live:fetched", ({ detail }) => merge(detail.page));
  }

  async function post(url, body) {
    const answer = await fetch(url, { method: "POST", body }).catch(() => null);
    if (!answer?.ok) return announce("The action failed. Try again or reload the page.");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["flashes", "bell", "alerts-views", "alerts-answer"]) {
      const [old, fresh] = [document, page].map((source) => source.getElementById(id));
      if (old && fresh) old.replaceChildren(...fresh.childNodes);
    }
    check(rows(), false);
    merge(page);
  }
  async function send(button) {
    if (!selected().length && current) check([current], true);
    const next = rows()[rows().indexOf(current) + 1], body = new FormData(form, button);
    body.set("next", document.getElementById("alerts-rows").dataset.liveUrl);
    button.closest("details")?.removeAttribute("open");
    await post(form.action, body);
    focusRow(next);
  }
  if (list) {
    form.addEventListener("submit", (event) => { event.preventDefault(); send(event.submitter); });
    document.getElementById("flashes").addEventListener("submit", (event) => {
      event.preventDefault();
      const body = new FormData(event.target);
      body.set("next", document.getElementById("alerts-rows").dataset.liveUrl);
      post(event.target.action, body);
    });
  }
  form?.addEventListener("change", count);
  form?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".menu-body input")) return;
    event.preventDefault();
    event.target.closest(".menu-body").querySelector(".btn-primary").click();
  });

  function press(key) {
    const all = rows(), index = all.indexOf(current), button = toolbar?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (key === "j" || key === "k") focusRow(all[Math.min(Math.max(index + (key === "j" ? 1 : -1), 0), all.length - 1)]);
    else if (key === "x") { check([current]); last = current; }
    else if (key === "X") check(all.slice(Math.min(index, all.indexOf(last)), Math.max(index, all.indexOf(last)) + 1), true);
    else if (key === "*") check(all, true);
    else if (key === "z") { const undo = document.querySelector('#flashes [data-key="z"]'); undo?.click(); return Boolean(undo); }
    else if (!button || (form && !current && !selected().length)) return false;
    else { button.click(); button.closest("details")?.querySelector(".menu-body :is(select, input:not([type=hidden]), textarea, button)")?.focus(); }
    return true;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.documentElement.dataset.keys === "off") return;
    if (event.target.matches("input:not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
  const filters = document.getElementById("alerts-filters");
  if (filters && matchMedia("(max-width: 48rem)").matches) filters.open = filters.querySelector(".chip") !== null;
  count();
})();
