"use strict";
// A list that is read while it changes: live updates change the shown rows in place, and new and moved rows
// are only announced. The region has data-live-list (the noun of its rows) and data-live-keep; the bar has the
// id of the region with "-new". With data-live-also the page answers shown rows that have left the list, too.
// With data-live-order the bar also appears when the shown rows have another order, or some have left the list.
(() => {
  const region = document.querySelector("[data-live-list][data-live-keep]");
  const bar = document.getElementById(`${region?.id}-new`), count = bar?.querySelector("[data-count]");
  if (!bar) return;
  const rows = (within) => [...(within?.querySelectorAll("tr[data-id]") || [])];
  if ("liveAlso" in region.dataset) {
    const url = new URL(location.href);
    url.searchParams.set("also", rows(region).map((row) => row.dataset.id).join(","));
    region.dataset.liveUrl = url.pathname + url.search;
  }

  const drawing = (cell) => cell.querySelector("svg path")?.getAttribute("d");
  function merge(page) {
    const fresh = rows(page.getElementById(region.id));
    const known = new Map([...rows(page.getElementById(`${region.id}-also`)), ...fresh].map((row) => [row.dataset.id, row]));
    for (const row of rows(region)) {
      const next = known.get(row.dataset.id);
      if (!next) continue;
      [...row.cells].forEach((old, index) => {
        const now = next.cells[index];
        const isSame = old.textContent.trim() === now.textContent.trim() && drawing(old) === drawing(now);
        if (isSame || old.contains(document.activeElement)) return;
        old.classList.toggle("changed", "mark" in old.dataset);
        old.replaceChildren(...now.childNodes);
      });
    }
    const shown = new Set(rows(region).map((row) => row.dataset.id));
    const added = fresh.filter((row) => !shown.has(row.dataset.id)).length;
    if (added && count && count.textContent !== String(added)) document.dispatchEvent(new CustomEvent("live:say", { detail: { text: `${added} new or updated ${region.dataset.liveList}` } }));
    if (count) count.textContent = added;
    const moved = "liveOrder" in region.dataset && hasOtherOrder(fresh);
    if (moved && bar.hidden) document.dispatchEvent(new CustomEvent("live:say", { detail: { text: `The order of the ${region.dataset.liveList} has changed` } }));
    bar.hidden = !added && !moved;
  }
  const hasOtherOrder = (fresh) => rows(region).some((row, index) => row.dataset.id !== fresh[index]?.dataset.id);
  document.addEventListener("live:fetched", ({ detail }) => { if (detail.page.getElementById(region.id)) merge(detail.page); });
})();
