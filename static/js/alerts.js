"use strict";
// The inbox: keys, selection, rows whose values change in place and that never move under the hand.
(() => {
  const form = document.getElementById("alerts-form"), list = document.getElementById("alerts-list");
  const acts = document.getElementById("alerts-acts") || document.getElementById("alert-acts");
  const label = document.getElementById("alerts-selected"), bar = document.getElementById("alerts-new");
  const rows = (within = list) => [...(within?.querySelectorAll("tr[data-id]") || [])];
  const box = (row) => row?.querySelector("input[name=ids]"), picked = () => rows().filter((row) => box(row)?.checked);
  const say = (text) => document.dispatchEvent(new CustomEvent("live:say", { detail: { text } }));
  let here = null, last = null;

  list?.addEventListener("focusin", ({ target }) => {
    here?.classList.remove("here");
    (here = target.closest("tr")).classList.add("here");
    count();
  });
  const go = (row) => row?.querySelector(".row-link").focus(); // focusin makes it the one at hand
  function count() {
    const many = picked().length;
    if (label) label.textContent = many ? `${many} selected` : here ? "The marked row" : "Select rows first";
    if (form) for (const one of acts?.querySelectorAll(".btn:not(.menu-body *)") || []) one.disabled = one.ariaDisabled = !many && !here;
    for (const row of rows()) row.classList.toggle("picked", Boolean(box(row)?.checked));
  }
  function tick(some, on) {
    for (const row of some) if (box(row)) box(row).checked = on ?? !box(row).checked;
    count();
  }

  // A fresh copy of the page: rows shown here take their new values, new ones wait behind a bar.
  function merge(page) {
    const fresh = rows(page.getElementById("alerts-list"));
    const known = new Map([...rows(page.getElementById("alerts-also")), ...fresh].map((row) => [row.dataset.id, row]));
    const shown = new Set(rows().map((row) => row.dataset.id));
    for (const row of rows()) {
      const next = known.get(row.dataset.id);
      if (!next) continue;
      row.classList.toggle("moved", !fresh.includes(next));
      for (const name of ["severity", "what", "since", "money", "owner", "state"]) {
        const [old, now] = [row, next].map((one) => one.querySelector(`.cell-${name}`));
        if (!old || !now || old.textContent.trim() === now.textContent.trim() || old.contains(document.activeElement)) continue;
        old.classList.toggle("changed", name !== "since");
        old.replaceChildren(...now.childNodes);
      }
    }
    const added = fresh.filter((row) => !shown.has(row.dataset.id)).length, words = document.getElementById("alerts-new-count");
    if (added && words.textContent !== String(added)) say(added === 1 ? "1 new alert" : `${added} new alerts`);
    words.textContent = added;
    bar.hidden = !added;
  }
  if (list) {
    const url = new URL(location.href);
    url.searchParams.set("also", [...rows()].map((row) => row.dataset.id).join(","));
    for (const region of document.querySelectorAll("[data-live][id]")) region.dataset.liveUrl = url.pathname + url.search;
    document.addEventListener("live:fetched", ({ detail }) => merge(detail.page));
  }

  async function send(button) {
    if (!picked().length && here) tick([here], true);
    const next = rows()[rows().indexOf(here) + 1], body = new FormData(form, button);
    body.set("next", document.getElementById("alerts-rows").dataset.liveUrl);
    button.closest("details")?.removeAttribute("open");
    const answer = await fetch(form.action, { method: "POST", body }).catch(() => null);
    if (!answer?.ok) return say("This did not work: try again, or reload the page");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const flash of document.querySelectorAll(".flash")) flash.remove();
    document.getElementById("main").before(...page.querySelectorAll(".flash"));
    for (const id of ["bell", "alerts-views", "alerts-answer"]) {
      const [old, fresh] = [document, page].map((one) => one.getElementById(id));
      if (old && fresh) old.replaceChildren(...fresh.childNodes);
    }
    tick(rows(), false);
    merge(page);
    go(next);
  }
  if (list) form.addEventListener("submit", (event) => { event.preventDefault(); send(event.submitter); });
  form?.addEventListener("change", count);
  form?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".menu-body input")) return;
    event.preventDefault();
    event.target.closest(".menu-body").querySelector(".btn-primary").click();
  });

  function press(key) {
    const all = rows(), place = all.indexOf(here), button = acts?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (key === "j" || key === "k") go(all[Math.min(Math.max(place + (key === "j" ? 1 : -1), 0), all.length - 1)]);
    else if (key === "x") { tick([here]); last = here; }
    else if (key === "X") tick(all.slice(Math.min(place, all.indexOf(last)), Math.max(place, all.indexOf(last)) + 1), true);
    else if (key === "*") tick(all, true);
    else if (!button || (form && !here && !picked().length)) return false;
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
