"use strict";
// Relative times tick without a request, by the server's clock.
(() => {
  const told = document.querySelector('meta[name="server-now"]');
  const ahead = told ? Date.parse(told.content) - Date.now() : 0;
  function span(seconds) {
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;
    const pair = days ? [[days, "d"], [hours, "h"]] : hours ? [[hours, "h"], [minutes, "min"]] : [[minutes, "min"]];
    return pair.filter(([many]) => many).map(([many, word]) => `${many} ${word}`).join(" ") || `${Math.floor(seconds)} s`;
  }
  function words(form, passed) {
    if (form === "span") return span(Math.abs(passed));
    if (Math.abs(passed) < 5) return "just now";
    return passed > 0 ? `${span(passed)} ago` : `in ${span(-passed)}`;
  }
  function tick() {
    for (const time of document.querySelectorAll('time[data-tick="ago"], time[data-tick="span"]')) {
      const text = words(time.dataset.tick, (Date.now() + ahead - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(tick, 5000);
  document.addEventListener("live:fetched", tick);
})();
