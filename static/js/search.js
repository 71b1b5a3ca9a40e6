"use strict";
// Suggestions in the search field, selected with the arrow keys: groups from /search/suggest, then those that
// listeners of "search:groups" ({ text, groups }) add; these also show before anything is typed.
(() => {
  const field = document.getElementById("search");
  if (!field) return;
  const list = document.createElement("div"), DELAY = 150, MIN_LENGTH = 2, MAX_LENGTH = 200;
  const MAX_PASTED = 201; // one more than is looked up, so that the results say that they are cut
  let timer, requested = 0, options = [], at = -1;
  Object.assign(list, { id: "search-list", className: "search-list", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  field.closest("form").append(list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"],
    ["aria-controls", list.id], ["aria-expanded", "false"]]) field.setAttribute(name, value);

  function close() {
    requested++;
    clearTimeout(timer);
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    highlight(-1);
  }
  function highlight(next) {
    options[at]?.setAttribute("aria-selected", "false");
    at = next;
    const option = options[at];
    if (!option) return field.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  }
  const element = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });
  function row(item) {
    const option = Object.assign(element("div", "search-item", ""), { id: `search-${options.length}` });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.item = item;
    option.append(element("span", "search-label", item.label), element("span", "search-why", item.why || ""));
    options.push(option);
    return option;
  }
  function draw(groups) {
    [options, at] = [[], -1];
    list.replaceChildren(...groups.filter((group) => group.items.length).map((group, index) => {
      const box = element("div", "", ""), title = element("div", "search-title", group.title);
      title.id = `search-group-${index}`;
      box.setAttribute("role", "group");
      box.setAttribute("aria-labelledby", title.id);
      box.append(title, ...group.items.map(row));
      return box;
    }));
    field.removeAttribute("aria-activedescendant");
    list.hidden = !options.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
  }
  async function answersOfServer(text) {
    if (text.length < MIN_LENGTH || text.length > MAX_LENGTH) return [];
    try {
      const response = await fetch(`/search/suggest?q=${encodeURIComponent(text)}`);
      return response.ok && !response.redirected ? (await response.json()).groups : [];
    } catch { return []; } // the form still works
  }
  function groupsWith(text, answers) {
    const groups = [...answers];
    document.dispatchEvent(new CustomEvent("search:groups", { detail: { text, groups } }));
    if (text.length >= MIN_LENGTH) groups.push({ title: "Search", items: [{ label: text.includes(";") ? "Look up these numbers" : `All results for “${text}”`, why: "Enter", url: `/search?q=${encodeURIComponent(text)}` }] });
    return groups;
  }
  // What the page knows shows at once; the answers of the server are added, and the highlighted option stays.
  async function load() {
    const text = field.value.trim(), request = ++requested;
    draw(groupsWith(text, []));
    const answers = await answersOfServer(text);
    if (request !== requested || document.activeElement !== field || !answers.length) return;
    const chosen = options[at]?.textContent;
    draw(groupsWith(text, answers));
    highlight(options.findIndex((option) => option.textContent === chosen));
  }
  // Only URLs of this site are followed.
  const go = ({ item }) => {
    if (item.run) { close(); field.blur(); return item.run(); }
    const url = new URL(item.url, location.href);
    if (url.origin === location.origin) location.assign(url);
  };
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(load, DELAY); });
  field.addEventListener("focus", () => { timer = setTimeout(load, field.value.trim() ? DELAY : 0); });
  field.addEventListener("blur", () => setTimeout(() => document.activeElement !== field && close(), 150));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); event.stopPropagation(); return close(); }
    if (list.hidden) return;
    if (event.key === "Enter" && options[at]) { event.preventDefault(); go(options[at]); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    highlight(at < 0 && step < 0 ? options.length - 1 : (at + step + options.length) % options.length);
  });
  // A field of one line turns pasted line ends into spaces, so a column is inserted with semicolons; also into the
  // search fields of lists.
  document.addEventListener("paste", (event) => {
    const { target } = event;
    if (target !== field && !target.matches?.("[data-paste-column]")) return;
    const pieces = event.clipboardData.getData("text").split(/[\r\n\t;]+/).map((piece) => piece.trim()).filter(Boolean);
    if (pieces.length < 2) return;
    event.preventDefault();
    target.setRangeText(pieces.slice(0, MAX_PASTED).join("; "), target.selectionStart, target.selectionEnd, "end");
    target.dispatchEvent(new Event("input", { bubbles: true }));
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", ({ target }) => {
    const option = target.closest("[role=option]");
    if (option) go(option);
  });
})();
