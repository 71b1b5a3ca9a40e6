"use strict";
// A socket reports that something changed; the page then fetches what, by HTTP. Each element with an id and
// data-live="order alert" is replaced from its URL (data-live-url, or the page's own).
// A page's own script can hold a region back: live:swap is cancelable, live:apply does it later.
// data-live-every: minimum ms between two fetches. data-live-keep: fetched, but merged by the page's own script.
(() => {
  const KINDS = ["alert", "export", "order", "source"], GAP = 250, POLL = 15000, IDLE = 60000, TIMEOUT = 30000, OPENING = 5000, ANNOUNCE_GAP = 5000;
  const MENU = "dialog[open], details.menu[open], .dropdown-menu.show";
  const FIELD = "textarea, select, input:not([type=checkbox], [type=radio])";
  const dirty = new Map(), known = document.querySelector('meta[name="live-head"]'); // dirty: region id -> next fetch
  let head = known && Number(known.content), socket, first = true, receivedAt = 0, tries = 0, state = "";
  const polls = "poll" in document.body.dataset; // a page without sign-in has no socket
  let paused = false, busy = false, fetchedAt = Date.now(), freshAt = fetchedAt, announcedAt = 0;
  const emit = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  // A page that was just loaded is not reconnecting: its data is as new as the page.
  const opening = () => first && !tries && socket.readyState === 0 && Date.now() - receivedAt < OPENING;
  const live = () => socket.readyState === 1 && Date.now() - receivedAt < TIMEOUT;

  const announcer = Object.assign(document.body.appendChild(document.createElement("div")), { className: "visually-hidden", role: "status" });
  document.addEventListener("live:say", ({ detail }) => {
    if (document.documentElement.dataset.silent !== "on" && Date.now() - announcedAt >= ANNOUNCE_GAP) [announcedAt, announcer.textContent] = [Date.now(), detail.text];
  });
  function show() {
    const next = paused ? "paused" : live() || opening() ? "live" : "reconnecting", chip = document.getElementById("freshness");
    const time = new Date(freshAt).toLocaleTimeString("en-GB", { timeZone: document.documentElement.dataset.zone });
    const age = Math.max(0, Math.round((Date.now() - freshAt) / 1000)), knownAt = document.querySelector('meta[name="known-at"]');
    const text = knownAt ? `As known ${knownAt.content}` : { live: `Live · ${age} s`, paused: `Paused at ${time}`, reconnecting: `Reconnecting, as of ${time}` }[next];
    const label = chip?.querySelector("[data-text]") || chip;
    if (chip && label.textContent !== text) [label.textContent, chip.dataset.state] = [text, next];
    if (next === state) return;
    if (state) emit("live:say", { text: { live: "Live", paused: "Paused", reconnecting: "Reconnecting" }[next] });
    emit("live:state", { state: (state = next), at: new Date(freshAt).toISOString() });
  }
  function markDirty(kinds, wait = 0) {
    for (const region of document.querySelectorAll("[data-live][id]")) {
      if (!region.dataset.live.split(" ").some((kind) => kinds.includes(kind))) continue;
      const next = Number(region.dataset.liveAt || 0) + Number(region.dataset.liveEvery || GAP);
      dirty.set(region.id, Math.min(Math.max(Date.now() + wait, next), dirty.get(region.id) || Infinity));
    }
  }
  const isInUse = (region) => "held" in region.dataset || region.querySelector(MENU) || region.querySelector(":focus")?.matches(FIELD);
  async function fetchDue() {
    if (busy || paused || document.hidden) return;
    const pages = new Map();
    for (const [id, at] of dirty) {
      const region = document.getElementById(id);
      if (at > Date.now() || (region && isInUse(region))) continue;
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
      if (polls) receivedAt = freshAt;
    } catch { markDirty(KINDS, POLL); } finally { busy = false; }
  }
  async function swapFrom(url, regions) {
    const response = await fetch(url, { headers: { "X-Live": "1" } });
    if (response.redirected && new URL(response.url).pathname.startsWith("/signin")) return document.dispatchEvent(new CustomEvent("session:ended", { cancelable: true })) && location.reload();
    if (polls && response.status === 404) return location.reload(); // the link is no longer valid
    if (!response.ok) throw new Error(String(response.status));
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const region of regions) {
      if (isInUse(region)) { dirty.set(region.id, Date.now()); continue; } // since the request was sent
      const fresh = page.getElementById(region.id);
      if (fresh && !("liveKeep" in region.dataset) && document.dispatchEvent(new CustomEvent("live:swap", { detail: { region, fresh }, cancelable: true }))) swap(region, fresh);
    }
    emit("live:fetched", { url, page });
  }
  // The element at the same address (or with the same name) takes the focus: only few have an id.
  function rememberFocus(region) {
    const old = region.querySelector(":focus"), names = ["id", "href", "name", "value"];
    if (!old) return () => {};
    const alike = () => [...region.querySelectorAll(old.localName)].filter((e) => names.every((name) => e.getAttribute(name) === old.getAttribute(name)));
    const index = alike().indexOf(old);
    return () => alike()[index]?.focus({ preventScroll: true });
  }
  function swap(region, fresh) {
    const refocus = rememberFocus(region), open = region.querySelectorAll("details[open][id]");
    const marks = () => [...region.querySelectorAll("[data-mark]")].map((e) => [e.dataset.mark, e.textContent.trim(), e]);
    const before = new Map(marks());
    region.replaceChildren(...fresh.childNodes);
    for (const { id } of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [name, text, e] of marks()) e.classList.toggle("changed", before.has(name) && before.get(name) !== text);
    refocus();
  }
  document.addEventListener("live:apply", ({ detail }) => swap(detail.region, detail.fresh));
  function receive(event) {
    const message = JSON.parse(event.data), missed = head !== message.head || (message.type === "hello" && !first);
    [head, first, receivedAt, tries] = [message.head, false, Date.now(), 0];
    if (!paused && !dirty.size) freshAt = receivedAt;
    if (message.type === "change") { markDirty(message.kinds); emit("live:change", message); } else if (missed) markDirty(KINDS);
    show();
  }
  function connect() {
    if (polls) return [socket, receivedAt] = [{ readyState: 1, close() {} }, Date.now()];
    socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/live`);
    [socket.onmessage, receivedAt] = [receive, Date.now()];
    // 4401: the session has ended, or the role changed. The page loads again with what is left of its rights.
    socket.onclose = ({ code }) => code === 4401 ? location.reload() : setTimeout(connect, Math.min(30000, 500 * 2 ** tries++) * (0.5 + Math.random()), show());
  }
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#freshness") && !(paused = !paused)) markDirty(KINDS);
    show();
  });
  // Sources that do not report are named beside the freshness of the page: what they know is missing from it.
  const notReporting = document.getElementById("not-reporting");
  async function nameSourcesNotReporting() {
    const answer = !document.hidden && await fetch("/sources-not-reporting").catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const { titles, url } = await answer.json();
    notReporting.hidden = !titles.length;
    const words = document.createElement("span"), text = titles.length === 1 ? "source not reporting" : "sources not reporting";
    [words.className, words.textContent] = ["desktop", ` ${text}`];
    notReporting.replaceChildren(String(titles.length), words);
    notReporting.ariaLabel = `${titles.length} ${text}`;
    notReporting.title = titles.join(", ");
    if (url) notReporting.href = url;
  }
  if (notReporting) { nameSourcesNotReporting(); setInterval(nameSourcesNotReporting, IDLE); }
  connect();
  setInterval(fetchDue, 100);
  setInterval(() => {
    if (socket.readyState === 1 && !live()) socket.close();
    if (Date.now() - fetchedAt > (live() && !polls ? IDLE : POLL)) markDirty(KINDS, (fetchedAt = Date.now()) - fetchedAt);
    show();
  }, 1000);
})();
