"use strict";
// Menus that open to the side where they fit, and messages that can be dismissed.
(() => {
  const SHOWN_FOR = 10000;
  const flashes = document.getElementById("flashes");
  document.addEventListener("toggle", ({ target }) => {
    if (!target.matches("details.menu") || !target.open) return;
    target.classList.remove("opens-left");
    const body = target.querySelector(".menu-body");
    if (body && body.getBoundingClientRect().right > document.documentElement.clientWidth) target.classList.add("opens-left");
  }, true);

  // A success goes after 10 seconds, unless it is in use. Warnings and errors stay.
  function start(flash) {
    flash.querySelector("[data-dismiss]").hidden = false;
    if (!flash.matches(".success, .info")) return;
    const end = () => (flash.matches(":hover, :focus-within") ? setTimeout(end, SHOWN_FOR) : flash.remove());
    setTimeout(end, SHOWN_FOR);
  }
  flashes.addEventListener("click", ({ target }) => target.closest("[data-dismiss]")?.closest(".flash").remove());
  flashes.querySelectorAll(".flash").forEach(start);
  new MutationObserver((changes) => changes.forEach(({ addedNodes }) => [...addedNodes].filter((node) => node.matches?.(".flash")).forEach(start)))
    .observe(flashes, { childList: true });
})();
