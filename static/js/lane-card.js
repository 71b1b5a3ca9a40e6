"use strict";
// The card of a marker on the lanes: it opens on hover and focus, the pointer can enter it, and Esc closes it.
(() => {
  const GRACE = 200, GAP = 6;
  const card = Object.assign(document.createElement("div"), { id: "lane-card", className: "lane-card", hidden: true });
  card.setAttribute("role", "tooltip");
  document.getElementById("main").append(card);
  let marker = null, timer = 0;

  function close() {
    clearTimeout(timer);
    marker?.removeAttribute("aria-describedby");
    marker = null;
    card.hidden = true;
  }
  function open(next) {
    clearTimeout(timer);
    if (marker === next) return;
    close();
    marker = next;
    card.replaceChildren(...next.dataset.card.split("\n").map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    card.hidden = false;
    next.setAttribute("aria-describedby", card.id);
    const at = next.getBoundingClientRect(), { width, height } = card.getBoundingClientRect();
    const below = at.bottom + GAP, fits = below + height <= innerHeight;
    card.style.top = `${fits ? below : Math.max(at.top - GAP - height, 0)}px`;
    card.style.left = `${Math.max(GAP, Math.min(at.left + at.width / 2 - width / 2, innerWidth - width - GAP))}px`;
  }
  const closeSoon = () => { clearTimeout(timer); timer = setTimeout(close, GRACE); };
  const markerAt = (target) => target.closest?.("[data-card]");
  document.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch") return; // a touch opens the event itself
    if (markerAt(target)) open(markerAt(target));
    else if (card.contains(target)) clearTimeout(timer);
    else if (marker && marker !== document.activeElement) closeSoon();
  });
  document.addEventListener("focusin", ({ target }) => {
    if (markerAt(target)) open(markerAt(target));
    else if (marker) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !marker) return;
    event.preventDefault(); // the event panel stays open
    close();
  }, true);
  for (const name of ["scroll", "click"]) document.addEventListener(name, close, true);
  document.addEventListener("live:fetched", () => { if (marker && !marker.isConnected) close(); });
})();
