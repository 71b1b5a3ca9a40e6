"use strict";
// Update relative times in the page without requests, using the server's clock.
(() => {
  const serverNow = document.querySelector('meta[name="server-now"]');
  const clockOffset = serverNow ? Date.parse(serverNow.content) - Date.now() : 0;
  function span(seconds) {
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;
    const pair = days ? [[days, "d"], [hours, "h"]] : hours ? [[hours, "h"], [minutes, "min"]] : [[minutes, "min"]];
    return pair.filter(([amount]) => amount).map(([amount, unit]) => `${amount} ${unit}`).join(" ") || `${Math.floor(seconds)} s`;
  }
  function format(form, elapsed) {
    if (form === "span") return span(Math.abs(elapsed));
    if (Math.abs(elapsed) < 5) return "just now";
    return elapsed > 0 ? `${span(elapsed)} ago` : `in ${span(-elapsed)}`;
  }
  function countdown() {
    for (const time of document.querySelectorAll('time[data-tick="countdown"]')) {
      const left = Math.floor((Date.parse(time.dateTime) - Date.now() - clockOffset) / 1000);
      const two = (amount) => String(Math.floor(amount) % 60).padStart(2, "0"), days = Math.floor(left / 86400);
      const clock = `${Math.floor(left / 3600) % 24}:${two(left / 60)}:${two(left)}`;
      time.textContent = left <= 0 ? `passed ${span(-left)} ago` : days ? `${days} d ${clock}` : clock;
      time.classList.toggle("tone-late", left <= 0 && !time.closest("[data-nothing-left]"));
    }
  }
  function tick() {
    for (const time of document.querySelectorAll('time[data-tick="ago"], time[data-tick="span"]')) {
      const text = format(time.dataset.tick, (Date.now() + clockOffset - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(tick, 5000);
  setInterval(countdown, 1000);
  document.addEventListener("live:fetched", tick);
})();
