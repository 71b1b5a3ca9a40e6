"use strict";
// Draw the JSON figures of the page in the theme colors. Each chart can be switched to a table. Dragging across a
// chart over time opens the page with the selected periods; the links in its table do the same.
(() => {
  const NARROW = 480, PAPER = { width: 810, height: 170 };
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;

  const root = document.documentElement;
  let theme, printed;

  // Replace "var(--chart-1)" with the color that the browser computes for it in the current theme.
  function withThemeColors(value, probe) {
    if (typeof value === "string") {
      if (!/^var\(--[\w-]+\)$/.test(value)) return value;
      probe.style.color = value;
      return getComputedStyle(probe).color;
    }
    if (Array.isArray(value)) return value.map((item) => withThemeColors(item, probe));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withThemeColors(item, probe)]));
    }
    return value;
  }

  // Series names at the ends of the lines need space: narrow charts get a legend instead.
  function fitted(layout, width, named) {
    if (width >= NARROW || !named) return layout;
    const annotations = (layout.annotations || []).filter((note) => note.name !== "end");
    const xaxis = { ...layout.xaxis, nticks: 5 };
    return { ...layout, annotations, xaxis, showlegend: true, margin: { ...layout.margin, r: 12, t: 40 } };
  }

  // With a finger, dragging scrolls the page.
  const canDrag = matchMedia("(pointer: fine)").matches;

  function zoom(plot, periods, change) {
    const day = (value) => String(value).slice(0, 10);
    const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (!from || !to) return;
    const chosen = periods.filter(([at]) => at >= day(from) && at <= day(to));
    if (!chosen.length) return draw(plot.closest("[data-chart]"));
    const url = new URL(location.href);
    url.searchParams.delete("day");
    url.searchParams.set("from", chosen[0][1]);
    url.searchParams.set("to", chosen.at(-1)[2]);
    location.assign(url);
  }

  function draw(chart) {
    const plot = chart.querySelector(".chart-plot");
    if (plot.hidden) return;
    const figure = JSON.parse(chart.querySelector("script[type='application/json']").textContent);
    const probe = chart.appendChild(document.createElement("span"));
    const { data, layout } = withThemeColors(figure, probe);
    probe.remove();
    layout.font = { ...layout.font, family: getComputedStyle(chart).fontFamily };
    const width = printed ? printed.width : plot.clientWidth;
    const named = data.filter((trace) => trace.showlegend !== false).length > 1;
    const shown = { ...fitted(layout, width, named), width, ...printed };
    const periods = "zoom" in chart.dataset && layout.meta?.periods;
    shown.dragmode = periods && canDrag ? "zoom" : false;
    if (periods && canDrag) shown.xaxis = { ...shown.xaxis, fixedrange: false };
    const config = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false };
    Plotly.react(plot, data, shown, config);
    plot.removeAllListeners?.("plotly_relayout");
    if (periods) plot.on("plotly_relayout", (change) => zoom(plot, periods, change));
    plot.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  }

  function show(chart, table) {
    const button = chart.querySelector(".chart-switch");
    button.textContent = table ? "Show as chart" : "Show as table";
    chart.querySelector(".chart-plot").hidden = table;
    chart.querySelector(".chart-table").hidden = !table;
    draw(chart);
  }

  const charts = [...document.querySelectorAll("[data-chart]")];
  for (const chart of charts) {
    const button = chart.querySelector(".chart-switch");
    button.addEventListener("click", () => show(chart, !chart.querySelector(".chart-plot").hidden));
    draw(chart);
  }

  let waiting;
  const redraw = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => charts.forEach(draw), reducedMotion ? 0 : 80);
  };
  new MutationObserver(redraw).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-theme"],
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", redraw);
  // Back shows the page as it was left: in the middle of a zoom.
  addEventListener("pageshow", (event) => event.persisted && charts.forEach(draw));
  // On paper charts have the light colors and the width of an A4 page; the page of a KPI fits on one.
  addEventListener("beforeprint", () => {
    [theme, printed, root.dataset.theme] = [root.dataset.theme, PAPER, "light"];
    charts.forEach(draw);
  });
  addEventListener("afterprint", () => {
    [printed, root.dataset.theme] = [undefined, theme];
    charts.forEach(draw);
  });
})();
