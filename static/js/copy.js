"use strict";
// Copies the text of the element with the id `data-copy`, the text `data-copy-text`, or the URL `data-copy-link` (of a link: its
// own), and says so for two seconds. Without a clipboard, the style sheet hides
// buttons with a text, buttons with a URL show it, and links stay links.
(() => {
  const TEXTS = "[data-copy], [data-copy-text]", LINKS = "[data-copy-link]";
  const say = (text) => document.dispatchEvent(new CustomEvent("live:say", { detail: { text } }));
  const write = (text) => navigator.clipboard?.writeText(text).then(() => true, () => false);
  // The link of a list shows the same row and preview as the page.
  function withRow(url) {
    const here = new URLSearchParams(location.search);
    if (url.pathname === location.pathname) for (const name of ["row", "in", "preview"]) if (here.has(name)) url.searchParams.set(name, here.get(name));
    return url.href;
  }
  function textOf({ href, dataset }) {
    if ("copyLink" in dataset) return withRow(new URL(href || dataset.copyLink, location.href));
    return dataset.copyText || document.getElementById(dataset.copy).textContent.trim();
  }
  function showCopied(button) {
    if ("copied" in button.dataset) return;
    const label = button.querySelector("[data-copy-label]"), use = button.querySelector("use");
    const before = { icon: use?.getAttribute("href"), text: label?.textContent };
    button.dataset.copied = "";
    use?.setAttribute("href", before.icon.replace(/#.*/, "#check"));
    if (label) label.textContent = "Copied";
    setTimeout(() => {
      delete button.dataset.copied;
      use?.setAttribute("href", before.icon);
      if (label) label.textContent = before.text;
    }, 2000);
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(`${TEXTS}, ${LINKS}`);
    if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (button.href && !navigator.clipboard) return;
    event.preventDefault();
    const text = textOf(button), label = button.querySelector("[data-copy-label]");
    if (await write(text)) {
      showCopied(button);
      say(button.matches(LINKS) ? "Link copied" : "Copied");
    } else if (label && button.matches(LINKS)) say(label.textContent = text);
  });
  // The key "l" copies the link of the page.
  document.addEventListener("copy:page", async () => say(await write(location.href) ? "Link copied" : "The browser does not allow this page to copy"));
})();
