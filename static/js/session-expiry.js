"use strict";
// Warns two minutes before the session ends. What was entered on the page is stored in the tab when it ended,
// and entered again when the same person opens the page after signing in.
(() => {
  const WARN = 120, CHECK = 600; // seconds: the warning; the server is asked again this long before the end
  const dialog = document.getElementById("session"), text = document.getElementById("session-text");
  const stay = document.getElementById("session-stay"), again = document.getElementById("session-sign-in");
  if (!dialog) return;
  const here = location.pathname, person = document.body.dataset.person, token = dialog.querySelector("[name=csrfmiddlewaretoken]").value;
  const store = (name, value) => { try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* nothing is stored */ } };
  const stored = (name) => { try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; } };
  const known = stored("session");
  let endsAt = known?.person === person ? known.endsAt : 0, confirmed = 0, asking = false, hasEnded = false;

  async function ask(method = "GET") {
    asking = true;
    const answer = await fetch("/session", { method, headers: method === "POST" ? { "X-CSRFToken": token } : {} }).catch(() => null);
    asking = false;
    if (!answer?.ok && answer?.status !== 401) return; // not known: asked again later
    const left = (await answer.json()).seconds_left;
    endsAt = confirmed = Date.now() + left * 1000;
    store("session", { person, endsAt });
    if (!left) end();
    else if (left > WARN && dialog.open) dialog.close();
  }

  const fields = () => [...document.querySelectorAll("main :is(input, textarea, select)")].filter((field) => field.name && !/^(hidden|password|file|submit|search)$/.test(field.type));
  const isChanged = (field) => (field.options ? [...field.options].some((o) => o.selected !== o.defaultSelected) : /^(checkbox|radio)$/.test(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
  const address = (field, all) => [field.name, all.filter((other) => other.name === field.name).indexOf(field)];
  function keep() {
    const all = fields(), entries = all.filter(isChanged).map((field) => [...address(field, all), field.value, field.checked]);
    if (entries.length) store(`entered ${here}`, { person, entries });
    return entries.length;
  }
  function restore() {
    const saved = stored(`entered ${here}`), all = fields();
    sessionStorage.removeItem(`entered ${here}`);
    if (saved?.person !== person) return;
    for (const [name, index, value, checked] of saved.entries) {
      const field = all.filter((other) => other.name === name)[index];
      if (!field) continue;
      if (/^(checkbox|radio)$/.test(field.type)) field.checked = checked; else field.value = value;
      field.closest("details")?.setAttribute("open", "");
    }
    const note = Object.assign(document.createElement("div"), { className: "flash warning", role: "status" });
    note.append(Object.assign(document.createElement("span"), { className: "flash-text", textContent: "What you had entered on this page before you were signed out is entered again. It is not saved yet." }));
    document.getElementById("flashes").append(note);
  }

  function show(sentence) {
    text.textContent = sentence;
    if (!dialog.open) dialog.showModal();
  }
  function end() {
    if (hasEnded) return;
    hasEnded = true;
    stay.hidden = true;
    again.hidden = false;
    again.href = `/signin?next=${encodeURIComponent(here + location.search)}`;
    show(`You were signed out.${keep() ? " What you entered on this page stays in this tab until you sign in again." : ""}`);
    again.focus();
  }
  function tick() {
    const left = (endsAt - Date.now()) / 1000;
    if (hasEnded || asking) return;
    if (left <= 0) ask();
    else if (left <= WARN) {
      // Activity since the last answer has moved the end.
      if (confirmed !== endsAt) return void ask();
      if (!dialog.open) ask();
      const minutes = Math.ceil(left / 60);
      show(`You will be signed out in ${minutes} minute${minutes === 1 ? "" : "s"}. What you entered on this page is not saved yet.`);
    }
  }
  stay.addEventListener("click", (event) => { event.preventDefault(); ask("POST"); });
  dialog.addEventListener("cancel", (event) => hasEnded && event.preventDefault());
  // A live update was refused, or a form is sent after the end: the page would be lost.
  document.addEventListener("session:ended", (event) => { event.preventDefault(); ask(); });
  document.addEventListener("submit", (event) => {
    if (Date.now() < endsAt || !endsAt || event.target.closest("dialog")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask().then(() => hasEnded || event.target.requestSubmit(event.submitter));
  }, true);
  restore();
  if (endsAt - Date.now() < CHECK * 1000) ask();
  setInterval(tick, 1000);
})();
