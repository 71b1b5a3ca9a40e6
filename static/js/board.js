"use strict";
// Kiosk mode: clock, wake lock, stale-data warning, and rotation to the next board.
(() => {
  const board = document.querySelector("[data-kiosk]");
  if (!board) return;
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
    board.classList.toggle("kiosk-stale", old);
    warning.hidden = !old;
    if (old) warning.textContent = `No connection: the data is ${Math.floor((Date.now() - freshAt) / 60000)} min old`;
  }, 1000);
  const awake = () => document.hidden || navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", awake);
  awake();
  const next = board.dataset.following;
  if (next) setInterval(() => { if (state !== "reconnecting") location.assign(next); }, Number(board.dataset.every) * 1000);
})();
