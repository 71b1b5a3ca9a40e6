"use strict";
// The order page: keys, the walk over the markers of the lanes, zoom and event panel without a new page.
(() => {
  const FIELD = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  const main = document.getElementById("main"), panel = document.getElementById("event-panel");
  const inPage = (url) => new URL(url, location.href).href.split("#")[0];
  let opener = null;

  // The menu of the lanes is open after a change in it; a live update must not open it again.
  const address = new URL(location.href);
  if (address.searchParams.has("lanes")) { address.searchParams.delete("lanes"); history.replaceState(null, "", address); }

  async function load(url) {
    const answer = await fetch(inPage(url), { headers: { "X-Live": "1" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }
  // Lanes: the links of the zoom replace only the lanes, and keep the focus.
  async function zoom(link) {
    const links = [...document.querySelectorAll("#order-lanes [data-zoom]")], index = links.indexOf(link);
    try {
      const fresh = (await load(link.href)).getElementById("order-lanes");
      document.getElementById("order-lanes").replaceChildren(...fresh.childNodes);
      history.replaceState(null, "", inPage(link.href));
      document.querySelectorAll("#order-lanes [data-zoom]")[index]?.focus({ preventScroll: true });
      scrollLanes(scrolledTo = Infinity);
    } catch { location.assign(link.href); }
  }
  let scrolledTo = Infinity;
  function scrollLanes(left) {
    const scroll = main.querySelector(".lanes-scroll");
    if (scroll) scroll.scrollLeft = Math.min(left, scroll.scrollWidth);
  }
  scrollLanes(scrolledTo);
  document.addEventListener("scroll", ({ target }) => { if (target.matches?.(".lanes-scroll") && target.scrollWidth > target.clientWidth) scrolledTo = target.scrollLeft; }, true);
  document.addEventListener("live:fetched", () => scrollLanes(scrolledTo));
  const markers = (root = main) => [...root.querySelectorAll("[data-marker]")].sort((a, b) => a.offsetLeft - b.offsetLeft);
  function walk(marker, key) {
    const lane = marker.closest(".lane"), own = markers(lane), at = own.indexOf(marker);
    if (key === "ArrowRight" || key === "ArrowLeft") return own[at + (key === "ArrowRight" ? 1 : -1)];
    if (key === "Home" || key === "End") return own.at(key === "Home" ? 0 : -1);
    const lanes = [...main.querySelectorAll(".lane")].filter((each) => each === lane || each.querySelector("[data-marker]"));
    const next = lanes[lanes.indexOf(lane) + (key === "ArrowDown" ? 1 : -1)];
    const distance = (each) => Math.abs(each.offsetLeft - marker.offsetLeft);
    return next && markers(next).sort((a, b) => distance(a) - distance(b))[0];
  }
  function nextProblem() {
    const all = markers().filter((each) => "problem" in each.dataset), at = all.indexOf(document.activeElement);
    all[(at + 1) % all.length]?.focus();
    return all.length > 0;
  }

  // New activity does not move what is read: once scrolled, it is only counted until it is asked for.
  const bar = document.getElementById("order-activity-new");
  let heldBack = null;
  const activityRows = (region) => region.querySelectorAll(".activity-row").length;
  function showActivity() {
    bar.hidden = true;
    if (heldBack) document.dispatchEvent(new CustomEvent("live:apply", { detail: heldBack }));
    heldBack = null;
  }
  document.addEventListener("live:swap", (event) => {
    const { region, fresh } = event.detail, added = region.id === "order-activity" && activityRows(fresh) - activityRows(region);
    if (added === false) return;
    heldBack = null;
    const isRead = added > 0 && region.getBoundingClientRect().top < bar.closest("section").querySelector("header").offsetHeight;
    bar.hidden = !isRead;
    if (!isRead) return;
    event.preventDefault();
    heldBack = event.detail;
    if (bar.querySelector("[data-count]").textContent !== String(added)) document.dispatchEvent(new CustomEvent("live:say", { detail: { text: `${added} new in the activity` } }));
    bar.querySelector("[data-count]").textContent = added;
  });

  // The event panel lies over the page: nothing under it moves. Esc closes it and returns the focus.
  // The tab in the address stays: live updates read the page from it.
  function setEvent(id) {
    const url = new URL(inPage(location.href));
    if (id) url.searchParams.set("event", id); else url.searchParams.delete("event");
    history.replaceState(null, "", url);
  }
  async function openEvent(link) {
    try {
      const fresh = (await load(link.href)).getElementById("event");
      if (!fresh) throw new Error("no event");
      if (!panel.contains(link)) opener = link;
      panel.replaceChildren(fresh);
      setEvent(new URL(link.href).searchParams.get("event"));
      fresh.focus({ preventScroll: true });
    } catch { location.assign(link.href); }
  }
  // The raw fields take the place of the link to their page.
  async function showFields(link) {
    link.setAttribute("aria-busy", "true");
    try {
      const fresh = (await load(link.href)).getElementById("event-fields");
      if (!fresh) throw new Error("no fields");
      if (!panel.contains(link)) return;
      link.closest("p").after(fresh);
      link.remove();
      fresh.querySelector("h2").focus({ preventScroll: true });
      fresh.scrollIntoView({ block: "nearest" });
    } catch { location.assign(link.href); }
  }
  function closeEvent() {
    setEvent(null);
    panel.replaceChildren();
    // The link itself, or what a live update put there; one in lanes that a phone hides takes no focus.
    const alike = opener ? [opener, ...main.querySelectorAll(`a[href="${CSS.escape(opener.getAttribute("href"))}"]`)] : [];
    const link = alike.find((each) => each.checkVisibility());
    (link || document.getElementById("activity-head") || main).focus({ preventScroll: true });
  }
  if (panel?.firstElementChild) document.getElementById("event").focus({ preventScroll: true });

  document.addEventListener("click", (event) => {
    const { target } = event, link = target.closest("a");
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (bar?.contains(target)) showActivity(); // the link then leads to the head of the list
    else if (target.closest("[data-print]")) { target.closest("details").open = false; print(); }
    else if (link?.matches("[data-zoom][href]")) { event.preventDefault(); zoom(link); }
    else if (link?.matches("[data-event]")) { event.preventDefault(); openEvent(link); }
    else if (link?.matches("[data-event-fields]")) { event.preventDefault(); if (!link.ariaBusy) showFields(link); }
    else if (link?.matches("[data-close-event]")) { event.preventDefault(); closeEvent(); }
    else if (link?.getAttribute("href") === "#note") { event.preventDefault(); document.getElementById("note").focus(); }
    else if (link?.getAttribute("href") === "#promises") document.getElementById("promises").open = true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const { key, target } = event, marker = target.closest?.("[data-marker]");
    if (key === "Escape" && panel?.firstElementChild && !target.closest("details.menu[open]") && !target.matches(FIELD)) { event.preventDefault(); return closeEvent(); }
    if (target.matches(FIELD)) return;
    if (marker && /^(Arrow|Home|End)/.test(key)) {
      event.preventDefault();
      walk(marker, key)?.focus();
    } else if (document.documentElement.dataset.keys !== "off") {
      const action = main.querySelector(`[data-key="${CSS.escape(key)}"]:not([hidden], :disabled)`);
      if (action) { event.preventDefault(); action.click(); }
      else if (key === "n" && nextProblem()) event.preventDefault();
    }
  });
})();
