"use strict";
// Line numbers of the editor, jumps to the line of a problem, indentation of new lines, and a warning before changes are lost.
(() => {
  const form = document.querySelector("form[data-manifest-form]"), text = document.getElementById("text");
  if (!form || !text) return;
  const numbers = form.querySelector("[data-lines]"), stored = text.value;
  let isSent = false;
  function show() {
    const count = text.value.split("\n").length;
    if (Number(numbers.dataset.count) !== count) numbers.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
    numbers.dataset.count = count;
    numbers.scrollTop = text.scrollTop;
  }
  text.addEventListener("input", show);
  text.addEventListener("scroll", () => { numbers.scrollTop = text.scrollTop; });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) { form.requestSubmit(); return; }
    const line = text.value.slice(0, text.selectionStart).split("\n").pop();
    text.setRangeText("\n" + line.match(/^ */)[0], text.selectionStart, text.selectionEnd, "end");
    show();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-line]");
    if (!button) return;
    const lines = text.value.split("\n"), index = Math.min(Number(button.dataset.line), lines.length) - 1;
    const start = lines.slice(0, index).join("\n").length + (index ? 1 : 0);
    text.focus();
    text.setSelectionRange(start, start + lines[index].length);
    text.scrollTop = Math.max(0, (index - 4) * text.scrollHeight / lines.length);
  });
  form.addEventListener("submit", () => { isSent = true; });
  addEventListener("beforeunload", (event) => { if (!isSent && text.value !== stored) event.preventDefault(); });
  show();
})();
