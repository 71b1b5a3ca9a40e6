"use strict";
// What an action on alerts will change is shown before the server has answered, and withdrawn when it has: then the page
// of the server is shown, or after a failure what was there before. alerts.js sends the events on document:
// alerts:acting ({ key, rows, act, label }), alerts:answered ({ key }), and alerts:withdraw and alerts:show around each
// change of the rows that comes from the server. An alert row has data-now (state) and data-owner (me, other or empty);
// a row of a group has data-alerts and data-unassigned.
(() => {
  const form = document.getElementById("alerts-form"), ACTIVE = ["open", "acknowledged"];
  if (!form) return;
  const { me, view } = form.dataset, acting = []; // acting: the actions without an answer, in their order
  const VIEWS = {
    mine: ({ state, owner }) => owner === "me" && ACTIVE.includes(state),
    team: ({ state, owner }) => !owner && state === "open",
    "mine-or-unassigned": (alert) => VIEWS.mine(alert) || VIEWS.team(alert),
    ...Object.fromEntries(["open", "acknowledged", "snoozed", "suppressed"].map((name) => [name, ({ state }) => state === name])),
  };
  const STATE_OF_VIEW = { team: "open", open: "open", acknowledged: "acknowledged", snoozed: "snoozed", suppressed: "suppressed" };

  // The alerts of a row: how many are in which state and whose they are. Those of a group with mixed states are not counted.
  function alertsOf(row) {
    if (!("alerts" in row.dataset)) return [{ many: 1, state: row.dataset.now, owner: row.dataset.owner }];
    const many = Number(row.dataset.alerts), unassigned = Number(row.dataset.unassigned), state = STATE_OF_VIEW[view];
    return state ? [{ many: unassigned, state, owner: "" }, { many: many - unassigned, state, owner: "other" }] : [];
  }
  function after({ act, label }, alert) {
    const [what, choice] = act.split(":");
    if (what === "acknowledge") return { ...alert, state: "acknowledged", owner: alert.owner || "me" };
    if (what === "snooze") return { ...alert, state: "snoozed" };
    if (what === "assign") return { ...alert, owner: choice === "me" || label === me ? "me" : label ? "other" : "" };
    return alert;
  }
  function texts({ act, label }, row) {
    const [what, choice] = act.split(":"), owner = row.querySelector(".cell-owner"), isFree = owner?.querySelector(".tone-risk");
    if (what === "acknowledge") return { ".cell-state": `Acknowledged by ${me}`, ...(isFree && { ".cell-owner": me }) };
    if (what === "snooze") return { ".cell-state": `Snoozed: ${label}` };
    if (what === "assign") return { ".cell-owner": choice === "me" ? me : label || "Unassigned" };
    return {};
  }
  function show(action) {
    action.before = [];
    for (const row of action.rows) {
      const alerts = alertsOf(row), leaves = VIEWS[view] && alerts.length && alerts.every((alert) => !VIEWS[view](after(action, alert)));
      const wanted = { ...texts(action, row), ...(leaves && { ".cell-count": "0" }) };
      action.before.push([row, row.classList.contains("moved"), row.dataset.now, row.dataset.owner, Object.keys(wanted).map((name) => row.querySelector(name)).filter(Boolean).map((cell) => [cell, [...cell.childNodes]])]);
      for (const [name, text] of Object.entries(wanted)) row.querySelector(name)?.replaceChildren(text);
      if (leaves) row.classList.add("moved");
      if ("now" in row.dataset) { const next = after(action, alerts[0]); Object.assign(row.dataset, { now: next.state, owner: next.owner }); }
    }
  }
  function withdraw(action) {
    for (const [row, moved, now, owner, cells] of action.before) {
      row.classList.toggle("moved", moved);
      if (now !== undefined) Object.assign(row.dataset, { now, owner });
      for (const [cell, nodes] of cells) cell.replaceChildren(...nodes);
    }
  }
  // The counts of the views, which the server may have replaced meanwhile.
  function count() {
    for (const mark of document.querySelectorAll("#alerts-views [data-mark]")) {
      const isIn = VIEWS[mark.dataset.mark], base = Number((mark.dataset.base ??= mark.textContent.replace(/\D/g, "")));
      let change = 0;
      for (const action of acting) for (const { alert, next } of action.changes) change += alert.many * (Number(isIn?.(next) ?? 0) - Number(isIn?.(alert) ?? 0));
      const text = Math.max(0, base + change).toLocaleString("en-US");
      if (mark.textContent.trim() !== text) mark.textContent = text;
      if (!acting.length) delete mark.dataset.base;
    }
    document.getElementById("alerts-answer").ariaBusy = acting.length ? "true" : null;
  }
  const withdrawAll = () => { for (const action of acting.toReversed()) withdraw(action); };
  const showAll = () => { for (const action of acting) show(action); count(); };
  document.addEventListener("alerts:acting", ({ detail }) => {
    const rows = detail.rows.filter((row) => !detail.rows.some((other) => other.dataset.id === row.dataset.parent));
    const changes = rows.flatMap(alertsOf).map((alert) => ({ alert, next: after(detail, alert) }));
    acting.push({ ...detail, changes });
    show(acting.at(-1));
    count();
  });
  document.addEventListener("alerts:answered", ({ detail }) => {
    const at = acting.findIndex(({ key }) => key === detail.key); // none if all that match were meant
    if (at >= 0) acting.splice(at, 1);
  });
  document.addEventListener("alerts:withdraw", withdrawAll);
  document.addEventListener("alerts:show", showAll);
})();
