"use strict";
// The alert inbox: actions on the selected rows, their undo, and live updates that do not move rows.
// list.js has the keyboard, the selection and the preview; an action on no selection is one on the current row.
// Actions are sent one after the other; alerts-at-once.js shows what they will change until the server has answered.
(() => {
  const CHUNK = 50;
  const form = document.getElementById("alerts-form"), list = document.getElementById("alerts-list");
  const toolbar = document.getElementById("alerts-actions") || document.getElementById("alert-actions");
  const label = document.getElementById("alerts-selected"), bar = document.getElementById("alerts-new");
  const stillTrue = document.getElementById("alerts-still-true"), all = form?.querySelector("[data-all]");
  const rows = (within = list) => [...(within?.querySelectorAll("tr[data-id]") || [])];
  const checkbox = (row) => row?.querySelector("input[name=ids]");
  const say = (text) => document.dispatchEvent(new CustomEvent("live:say", { detail: { text } }));
  const many = (number, noun) => `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  let current = null, selected = [], pending = 0, sending = Promise.resolve(), inProgress = false;

  // What an action is about: all that match, the selected rows, or the current one.
  const targets = () => (selected.length ? selected : checkbox(current) ? [current] : []);
  const isGroup = (row) => "alerts" in row.dataset;
  function describe() {
    if (all?.checked) return `${many(Number(all.dataset.all), "alert")} selected`;
    const rest = selected.filter((row) => !selected.some((other) => other.dataset.id === row.dataset.parent));
    const groups = selected.filter(isGroup).length, alerts = rest.reduce((sum, row) => sum + Number(row.dataset.alerts || 1), 0);
    if (groups) return `${many(groups, "group")} selected, ${many(alerts, "alert")}`;
    if (alerts) return `${many(alerts, "alert")} selected`;
    if (!checkbox(current)) return "0 alerts selected";
    return isGroup(current) ? `${many(Number(current.dataset.alerts), "alert")} (current row)` : "1 alert (current row)";
  }
  function refresh() {
    if (!form || inProgress) return;
    if (label && label.textContent !== describe()) label.textContent = describe();
    const none = !all?.checked && !targets().length;
    toolbar?.classList.toggle("has-targets", !none);
    for (const button of toolbar?.querySelectorAll(".btn:not(.menu-body *)") || []) button.disabled = button.ariaDisabled = none;
  }
  document.addEventListener("list:current", ({ detail }) => { current = detail.row; refresh(); });
  document.addEventListener("list:selection", ({ detail }) => { selected = detail.rows; refresh(); });

  // Update the rows that are shown from a fresh copy of the page; only announce new rows.
  function merge(page) {
    const fresh = rows(page.getElementById("alerts-list"));
    const known = new Map([...rows(page.getElementById("alerts-also")), ...fresh].map((row) => [row.dataset.id, row]));
    const shown = new Set(rows().map((row) => row.dataset.id));
    for (const row of rows()) {
      const next = known.get(row.dataset.id), gone = !next && isGroup(row);
      row.classList.toggle("moved", gone || Boolean(next && (row.dataset.parent ? next.dataset.state !== row.dataset.state : !fresh.includes(next))));
      if (gone) {
        row.dataset.alerts = 0;
        for (const [name, text] of [["count", "0"], ["orders", "0"], ["money", "–"], ["since", "–"], ["owner", ""]]) { const cell = row.querySelector(`.cell-${name}`); if (cell) cell.textContent = text; }
      }
      if (!next) continue;
      if (isGroup(row)) Object.assign(row.dataset, { alerts: next.dataset.alerts, unassigned: next.dataset.unassigned });
      else Object.assign(row.dataset, { now: next.dataset.now, owner: next.dataset.owner });
      const chosen = [...next.querySelectorAll("[data-title]")].map((cell) => `[data-title][data-column="${cell.dataset.column}"]`);
      for (const name of [".cell-severity", ".cell-what", ".cell-count", ".cell-orders", ".cell-since", ".cell-money", ".cell-owner", ".cell-team", ".cell-state", ...chosen]) {
        const [old, now] = [row, next].map((tr) => tr.querySelector(name));
        if (!old || !now || old.textContent.trim() === now.textContent.trim() || old.contains(document.activeElement) || old.querySelector("[aria-expanded=true]")) continue;
        old.classList.toggle("changed", name !== ".cell-since");
        old.replaceChildren(...now.childNodes);
      }
    }
    const added = fresh.filter((row) => !shown.has(row.dataset.id)).length, newCount = document.getElementById("alerts-new-count");
    if (added && newCount.textContent !== String(added)) say(many(added, isGroup(fresh[0]) ? "new group" : "new alert"));
    newCount.textContent = added;
    bar.hidden = !added;
    refresh();
  }
  function mergeUnder(page) {
    emit("alerts:withdraw");
    merge(page);
    emit("alerts:show");
  }
  function liveUrl() {
    const url = new URL(location.href);
    url.searchParams.set("also", rows().map((row) => row.dataset.id).filter((id) => /^\d+$/.test(id)).join(","));
    return url.pathname + url.search;
  }
  function follow() { for (const region of document.querySelectorAll("[data-live][id]")) region.dataset.liveUrl = liveUrl(); }
  if (list) {
    follow();
    document.addEventListener("list:expanded", follow);
    document.addEventListener("live:fetched", ({ detail }) => mergeUnder(detail.page));
  }

  function failure(answer) {
    if (!navigator.onLine) return "You are offline: nothing was changed. The alerts are shown as before.";
    if (!answer) return "The server did not answer. The alerts are shown as before: reload the page to see what was done, and try again.";
    if (isSignIn(answer)) return "Your session has ended: nothing was changed. Reload the page to sign in.";
    if (answer.status === 403) return "You may not do this: nothing was changed. The alerts are shown as before.";
    return `The server refused the action (${answer.status}). The alerts are shown as before: reload the page to see what was done, and try again.`;
  }
  const isSignIn = (answer) => answer.redirected && new URL(answer.url).pathname.startsWith("/signin");
  async function post(url, body) {
    const answer = await fetch(url, { method: "POST", body }).catch(() => null);
    if (answer?.ok && !isSignIn(answer)) return answer;
    const note = Object.assign(document.createElement("div"), { className: "flash error", role: "status" });
    note.innerHTML = '<span class="flash-text"></span><button type="button" class="btn btn-sm btn-quiet" data-dismiss>Dismiss</button>';
    note.firstChild.textContent = failure(answer);
    document.getElementById("flashes").replaceChildren(note);
    return null;
  }
  async function show(answer, answered = () => {}) {
    const text = await answer?.text();
    emit("alerts:withdraw");
    answered();
    if (!answer) return emit("alerts:show");
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const id of ["flashes", "bell", "alerts-views", "alerts-answer", "alerts-count"]) {
      const [old, fresh] = [document, page].map((source) => source.getElementById(id));
      if (old && fresh) old.replaceChildren(...fresh.childNodes);
    }
    merge(page);
    emit("alerts:show");
  }
  // The form with its targets; `all` goes only while it is checked.
  function body(button) {
    const data = new FormData(form, button);
    data.set("next", liveUrl());
    data.delete("ids");
    for (const row of targets()) data.append("ids", row.dataset.id);
    return data;
  }
  async function selection() {
    const answer = await post(form.dataset.selection, body());
    return answer ? answer.json() : null;
  }
  // Groups and long selections go in parts, with progress; the last part answers with the result of all.
  async function sendInParts(data) {
    const chosen = await post(form.dataset.selection, data);
    if (!chosen) return null;
    const found = await chosen.json();
    const batch = crypto.randomUUID?.() || String(Math.random()), ids = found.ids;
    data.delete("all");
    data.set("batch", batch);
    for (let start = 0; start === 0 || start < ids.length; start += CHUNK) {
      data.delete("ids");
      for (const id of ids.slice(start, start + CHUNK)) data.append("ids", id);
      const last = start + CHUNK >= ids.length;
      if (last) data.delete("more"); else data.set("more", "1");
      inProgress = true;
      label.textContent = `${Math.min(start + CHUNK, ids.length)} of ${ids.length} …`;
      const answer = await post(form.action, data);
      if (!answer || last) return answer;
    }
    return null;
  }
  // What the choice of a menu is called, for the rows until the answer comes.
  function labelOf(button) {
    if (button.value === "assign") { const { value, selectedOptions } = form.elements.to; return value === "nobody" ? "" : selectedOptions[0].dataset.name; }
    return button.value === "snooze:custom" ? form.elements.at.value.replace("T", " ") : [...button.childNodes].find((node) => node.nodeType === Node.TEXT_NODE)?.textContent.trim();
  }
  function send(button) {
    if (!targets().length && !all?.checked) return;
    const data = body(button), inParts = all?.checked || targets().some(isGroup) || targets().length > CHUNK;
    const shown = rows().filter((row) => !row.hidden), stay = current, key = Symbol();
    const typed = button.closest(".menu-body")?.querySelectorAll("textarea, input[type=text]") || [];
    if (!all?.checked) emit("alerts:acting", { key, rows: targets(), act: button.value, label: labelOf(button) });
    button.closest("details")?.removeAttribute("open");
    emit("list:clear");
    if (all) all.checked = false;
    (shown.slice(shown.indexOf(stay) + 1).find((row) => !stay || row.dataset.parent !== stay.dataset.id) || stay)?.querySelector(".row-link")?.focus();
    pending += 1;
    form.ariaBusy = "true";
    sending = sending.then(async () => {
      const answer = inParts ? await sendInParts(data) : await post(form.action, data);
      inProgress = false;
      if (!(pending -= 1)) form.ariaBusy = null;
      await show(answer, () => emit("alerts:answered", { key }));
      if (answer) for (const field of typed) if (field.value === data.get(field.name)) field.value = "";
      refresh();
    });
  }
  if (list) {
    form.addEventListener("submit", (event) => { event.preventDefault(); send(event.submitter); });
    document.getElementById("flashes").addEventListener("submit", async (event) => {
      event.preventDefault();
      const data = new FormData(event.target);
      data.set("next", liveUrl());
      event.submitter.disabled = true;
      await show(await post(event.target.action, data));
      current?.querySelector(".row-link").focus();
    });
    all?.addEventListener("change", refresh);
  }
  form?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".menu-body input")) return;
    event.preventDefault();
    event.target.closest(".menu-body").querySelector(".btn-primary").click();
  });

  function focusFirstField(menu) { menu.querySelector(".menu-body :is(select, input:not([type=hidden]), textarea, button)")?.focus(); }
  // Menus: the first field takes the focus; Escape closes; resolving says before what would reopen.
  document.addEventListener("toggle", async ({ target }) => {
    if (!target.matches("details.menu") || !target.open || !(toolbar?.contains(target) || target.id === "alerts-filters")) return;
    for (const other of document.querySelectorAll("details.menu[open]")) if (other !== target) other.open = false;
    focusFirstField(target);
    if (!stillTrue || !target.contains(stillTrue)) return;
    const found = await selection();
    if (!found) return;
    const wouldReopen = found.would_reopen;
    stillTrue.className = wouldReopen ? "problem" : "hint";
    stillTrue.textContent = wouldReopen
      ? `Still true for ${many(wouldReopen, "alert")} of ${found.ids.length}: ${wouldReopen === 1 ? "it" : "they"} would reopen at once. Snooze with a reason instead.`
      : "No missed deadline still runs for these alerts. One whose condition holds reopens.";
  }, true);
  document.addEventListener("click", ({ target }) => {
    const act = target.closest("[data-act]");
    if (!act) return;
    // A button of the preview is about the row that is shown, whatever is selected.
    if (all) all.checked = false;
    document.dispatchEvent(new CustomEvent("list:clear"));
    press(act.dataset.act);
  });

  function press(key) {
    const button = toolbar?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (key === "z") { const undo = document.querySelector('#flashes [data-key="z"]'); undo?.click(); return Boolean(undo); }
    if (key === "Escape") { const menu = document.querySelector("details.menu[open]"); if (!menu) return false; menu.open = false; (menu.closest("form") ? current?.querySelector(".row-link") || menu.querySelector("summary") : menu.querySelector("summary")).focus(); return true; }
    if (!button || (form && !targets().length && !all?.checked)) return false;
    button.click();
    // The event "toggle" comes later: what is typed until then would be shortcuts.
    const menu = button.closest("details.menu");
    if (menu?.open) focusFirstField(menu);
    return true;
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || (document.documentElement.dataset.keys === "off" && event.key !== "Escape")) return;
    if (document.querySelector("dialog[open]") || (event.key !== "Escape" && event.target.matches("input:not([type=checkbox]), textarea, select"))) return;
    if (!press(event.key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  refresh();
})();
