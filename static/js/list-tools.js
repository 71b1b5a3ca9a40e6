"use strict";
// "Copy link" of a list: the address with its filters and order. Without a clipboard it stays a link.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-copy-link]");
  if (!link || !navigator.clipboard || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  await navigator.clipboard.writeText(link.href);
  document.dispatchEvent(new CustomEvent("live:say", { detail: { text: "Link copied" } }));
});
