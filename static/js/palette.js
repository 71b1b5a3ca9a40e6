"use strict";
// What the search field offers besides the answers of the server: recent pages, pages and actions.
// search.js asks for it by the event "search:groups" ({ text, groups }); an item has a url or run().
(() => {
  const DETAIL = /^\/(orders|alerts|messages|sources|rules|boards|numbers)\/[^/]+$/, MAX_RECENT = 8, MAX_MATCHES = 5;
  const NOUNS = { orders: "Order", alerts: "Alert", messages: "Message", sources: "Source", rules: "Rule", boards: "Board", numbers: "KPI" };
  const owner = document.querySelector(".person summary")?.getAttribute("aria-label") || "";
  // Recent pages belong to one person: they are forgotten when somebody else signs in, and on sign-out.
  function recent() {
    try {
      const saved = JSON.parse(localStorage.getItem("recent"));
      return saved?.owner === owner ? saved.items : [];
    } catch { return []; }
  }
  const save = (items) => { try { localStorage.setItem("recent", JSON.stringify({ owner, items })); } catch { /* nothing is remembered */ } };
  const kind = DETAIL.exec(location.pathname)?.[1], heading = document.querySelector("main h1")?.textContent.trim();
  if (kind && heading) {
    const item = { url: location.pathname, label: heading.slice(0, 80), why: NOUNS[kind] };
    save([item, ...recent().filter(({ url }) => url !== item.url)].slice(0, MAX_RECENT));
  }
  const signOut = document.querySelector('form[action="/signout"]');
  signOut?.addEventListener("submit", () => { try { localStorage.removeItem("recent"); } catch { /* nothing was remembered */ } });

  function pages() {
    const links = new Map([...document.querySelectorAll(".rail li > a, .more-sections a")].map((link) => [link.getAttribute("href"), link]));
    return [...links].map(([url, link]) => ({ url, label: [...link.childNodes].filter((node) => !node.matches?.(".rail-count, svg")).map((node) => node.textContent).join("").trim(), why: link.dataset.key ? `g ${link.dataset.key}` : "" }));
  }
  function actions() {
    const press = (selector) => () => document.querySelector(selector)?.click();
    const isPaused = document.getElementById("freshness")?.dataset.state === "paused";
    return [
      { label: `Theme: switch from ${document.documentElement.dataset.themeWanted}`, why: "light, dark or system", run: press("[data-choose-theme]") },
      { label: isPaused ? "Resume live updates" : "Pause live updates", run: press("#freshness") },
      { label: "Rows: taller or compact", why: "row height", run: press('[data-preference="density"] input') },
      { label: "Help and keyboard shortcuts", why: "?", run: press("button[data-keys]") },
      ...[...document.querySelectorAll("main [data-palette]")].map((control) => ({ label: control.dataset.palette, why: "this page", run: () => control.click() })),
      ...(signOut ? [{ label: "Sign out", run: () => signOut.requestSubmit() }] : []),
    ];
  }
  document.addEventListener("search:groups", ({ detail: { text, groups } }) => {
    const wanted = text.toLowerCase();
    const matches = (items) => items.filter(({ label, why }) => `${label} ${why || ""}`.toLowerCase().includes(wanted));
    const local = wanted
      ? [["Recent", matches(recent()).slice(0, MAX_MATCHES)], ["Pages", matches(pages())], ["Actions", matches(actions())]]
      : [["Recent", recent()], ["Pages", pages()], ["Actions", actions()]];
    const known = new Set(groups.flatMap(({ items }) => items.map(({ url }) => url)));
    for (const [title, items] of local) groups.push({ title, items: items.filter(({ url }) => !url || !known.has(url)) });
  });
})();
