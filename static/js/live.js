"use strict";
// One socket a page says that something changed; the page then fetches what, by HTTP: elements with an id and
// data-live="order alert" are filled anew from their address (data-live-url, or the page's own).
// data-live-every: at least so many ms apart. data-live-keep: fetched, but merged by the page itself.
(() => {
  const KINDS = ["alert", "order", "source"], GAP = 250, POLL = 15000, IDLE = 60000, DEAF = 30000, SAY = 5000;
  const MENU = "dialog[open], details.menu[open], .dropdown-menu.show";
  const FIELD = "textarea, select, input:not([type=checkbox], [type=radio])";
  const dirty = new Map(), known = document.querySelector('meta[name="live-head"]'); // dirty: region id -> when it is due
  let head = known && Number(known.content), socket, first = true, heardAt = 0, tries = 0, state = "";
  let paused = false, busy = false, fetchedAt = Date.now(), freshAt = fetchedAt, saidAt = 0;
  const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  const live = () => socket.readyState === 1 && Date.now() - heardAt < DEAF;

  const voice = Object.assign(document.body.appendChild(document.createElement("div")), { className: "visually-hidden", role: "status" });
  document.addEventListener("live:say", ({ detail }) => {
    if (Date.now() - saidAt >= SAY) [saidAt, voice.textContent] = [Date.now(), detail.text];
  });
  function show() {
    const next = paused ? "paused" : live() ? "live" : "reconnecting", chip = document.getElementById("freshness");
    const time = new Date(freshAt).toLocaleTimeString("en-GB", { timeZone: document.documentElement.dataset.zone });
    const text = { live: "Live", paused: "Paused", reconnecting: `Reconnecting, as of ${time}` }[next];
    const label = chip?.querySelector("[data-text]") || chip;
    if (chip && label.textContent !== text) [label.textContent, chip.dataset.state] = [text, next];
    if (next === state) return;
    if (state) emit("live:say", { text });
    emit("live:state", { state: (state = next), at: new Date(freshAt).toISOString() });
  }
  function mark(kinds, wait = 0) {
    for (const region of document.querySelectorAll("[data-live][id]")) {
      if (!region.dataset.live.split(" ").some((kind) => kinds.includes(kind))) continue;
      const next = Number(region.dataset.liveAt || 0) + Number(region.dataset.liveEvery || GAP);
      dirty.set(region.id, Math.min(Math.max(Date.now() + wait, next), dirty.get(region.id) || Infinity));
    }
  }
  const held = (region) => region.querySelector(MENU) || region.querySelector(":focus")?.matches(FIELD);
  async function fetchDue() {
    if (busy || paused || document.hidden) return;
    const pages = new Map();
    for (const [id, at] of dirty) {
      const region = document.getElementById(id);
      if (at > Date.now() || (region && held(region))) continue;
      dirty.delete(id);
      if (!region) continue;
      const url = region.dataset.liveUrl || location.href.split("#")[0];
      pages.set(url, [...(pages.get(url) || []), region]);
      region.dataset.liveAt = Date.now();
    }
    if (!pages.size) return;
    busy = true;
    try {
      await Promise.all([...pages].map(([url, regions]) => swapFrom(url, regions)));
      fetchedAt = freshAt = Date.now();
    } catch { mark(KINDS, POLL); } finally { busy = false; }
  }
  async function swapFrom(url, regions) {
    const answer = await fetch(url, { headers: { "X-Live": "1" } });
    if (answer.redirected && new URL(answer.url).pathname.startsWith("/signin")) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of regions) {
      const fresh = page.getElementById(region.id);
      if (fresh && !("liveKeep" in region.dataset)) swap(region, fresh);
    }
    emit("live:fetched", { url, page });
  }
  function swap(region, fresh) {
    const focus = region.querySelector(":focus")?.id, open = region.querySelectorAll("details[open][id]");
    const marks = () => [...region.querySelectorAll("[data-mark]")].map((e) => [e.dataset.mark, e.textContent.trim(), e]);
    const before = new Map(marks());
    region.replaceChildren(...fresh.childNodes);
    for (const { id } of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [name, text, e] of marks()) e.classList.toggle("changed", before.has(name) && before.get(name) !== text);
    document.getElementById(focus)?.focus({ preventScroll: true });
  }
  function hear(event) {
    const told = JSON.parse(event.data), missed = head !== told.head || (told.type === "hello" && !first);
    [head, first, heardAt, tries] = [told.head, false, Date.now(), 0];
    if (!paused && !dirty.size) freshAt = heardAt;
    if (told.type === "change") { mark(told.kinds); emit("live:change", told); } else if (missed) mark(KINDS);
    show();
  }
  function connect() {
    socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/live`);
    [socket.onmessage, heardAt] = [hear, Date.now()];
    socket.onclose = () => setTimeout(connect, Math.min(30000, 500 * 2 ** tries++) * (0.5 + Math.random()), show());
  }
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#freshness") && !(paused = !paused)) mark(KINDS);
    show();
  });
  connect();
  setInterval(fetchDue, 100);
  setInterval(() => {
    if (socket.readyState === 1 && !live()) socket.close();
    if (Date.now() - fetchedAt > (live() ? IDLE : POLL)) mark(KINDS, (fetchedAt = Date.now()) - fetchedAt);
    show();
  }, 1000);
})();
