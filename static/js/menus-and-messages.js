"use strict";
// Menus and long forms of abbreviations that open to the side where they fit, messages that can be dismissed, and buttons that mention a colleague in a note.
(() => {
  const SHOWN_FOR = 10000;
  const flashes = document.getElementById("flashes");
  document.addEventListener("toggle", ({ target }) => {
    if (!target.matches("details.menu") || !target.open) return;
    target.classList.remove("opens-left");
    const body = target.querySelector(".menu-body");
    if (body && body.getBoundingClientRect().right > document.documentElement.clientWidth) target.classList.add("opens-left");
  }, true);

  // The long form of an abbreviation, in the style sheet at most this wide; Escape hides it.
  const widthOfLongForm = () => Math.min(256, 0.45 * innerWidth);
  for (const kind of ["focusin", "pointerover"]) document.addEventListener(kind, ({ target }) => {
    const control = target.closest?.(".term, a, button"), term = control?.matches(".term") ? control : control?.querySelector(".term");
    term?.classList.toggle("opens-left", term.getBoundingClientRect().left + widthOfLongForm() > innerWidth);
  });
  document.addEventListener("keydown", ({ key, target }) => { if (key === "Escape" && target.matches(".term")) target.blur(); });

  const showMentions = () => document.querySelectorAll("[data-mention][hidden]").forEach((button) => { button.hidden = false; });
  showMentions();
  new MutationObserver(showMentions).observe(document.getElementById("main"), { childList: true, subtree: true });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-mention]"), field = button?.form.elements.note;
    if (!field) return;
    field.setRangeText(button.dataset.mention, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  });

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
