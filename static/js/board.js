"use strict";
// Boards: pause a tile. Kiosk: clock, wake lock, warning of old data, rotation, way out.
(() => {
  const FIELD = "input, select, textarea, [contenteditable]";
  const say = (text) => document.dispatchEvent(new CustomEvent("live:say", { detail: { text } }));
  // A paused tile is not replaced until it is resumed: see `isInUse` of live.js.
  function toggle(button) {
    const tile = button.closest("[data-live]"), paused = button.ariaPressed !== "true";
    tile.toggleAttribute("data-held", paused);
    button.ariaPressed = String(paused);
    button.querySelector("[data-pause-text]").textContent = paused ? "Resume, newer events are not shown" : "Pause";
    say(paused ? "Recent events paused" : "Recent events resumed");
  }
  document.addEventListener("click", ({ target }) => {
    const pause = target.closest("[data-pause]");
    if (pause) toggle(pause);
  });
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches(FIELD) || document.querySelector("dialog[open]")) return;
    if (key === "Escape" && document.body.dataset.exit) location.assign(document.body.dataset.exit);
    const pause = key === "p" && document.documentElement.dataset.keys !== "off" && document.querySelector("[data-pause]");
    if (pause) toggle(pause);
  });

  const kiosk = document.querySelector("[data-kiosk]");
  if (!kiosk) return;
  const OLD = 60000, clock = document.getElementById("kiosk-clock"), warning = document.getElementById("kiosk-old");
  const zone = document.documentElement.dataset.zone;
  let freshAt = Date.now(), state = "";
  document.addEventListener("live:state", ({ detail }) => {
    state = detail.state;
    if (state === "reconnecting") freshAt = Date.parse(detail.at);
  });
  document.addEventListener("live:fetched", () => { freshAt = Date.now(); });
  setInterval(() => {
    if (state === "live") freshAt = Date.now();
    const old = Date.now() - freshAt > OLD;
    clock.textContent = new Date().toLocaleTimeString("en-GB", { timeZone: zone });
    kiosk.classList.toggle("kiosk-stale", old);
    warning.hidden = !old;
    if (old) warning.textContent = `No connection: the data is ${Math.floor((Date.now() - freshAt) / 60000)} min old`;
  }, 1000);
  const awake = () => document.hidden || navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", awake);
  awake();
  const next = kiosk.dataset.following;
  if (next) setInterval(() => { if (state !== "reconnecting") location.assign(next); }, Number(kiosk.dataset.every) * 1000);
})();
