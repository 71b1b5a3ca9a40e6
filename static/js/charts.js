"use strict";
// Draws the figures a page carries as JSON in the colours of the theme; each can be read as a table.
(() => {
  const NARROW = 480;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // "var(--chart-1)" means the colour of that name in the page's present theme.
  function inColours(value, style) {
    if (typeof value === "string") {
      const name = value.match(/^var\((--[\w-]+)\)$/);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => inColours(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inColours(item, style)]));
    }
    return value;
  }

  // Names at the ends of the lines need room: on a phone they become a legend.
  function fitted(layout, width, named) {
    if (width >= NARROW || !named) return layout;
    const annotations = (layout.annotations || []).filter((note) => note.name !== "end");
    const xaxis = { ...layout.xaxis, nticks: 5 };
    return { ...layout, annotations, xaxis, showlegend: true, margin: { ...layout.margin, r: 12, t: 40 } };
  }

  function draw(chart) {
    const plot = chart.querySelector(".chart-plot");
    if (plot.hidden) return;
    const figure = JSON.parse(chart.querySelector("script[type='application/json']").textContent);
    const style = getComputedStyle(chart);
    const { data, layout } = inColours(figure, style);
    layout.font = { ...layout.font, family: style.fontFamily };
    const width = plot.clientWidth;
    const shown = { ...fitted(layout, width, data.length > 1), width };
    Plotly.react(plot, data, shown, { displayModeBar: false, responsive: false, scrollZoom: false, staticPlot: false });
    plot.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  }

  function show(chart, table) {
    const button = chart.querySelector(".chart-switch");
    button.textContent = table ? "Chart" : "Table";
    chart.querySelector(".chart-plot").hidden = table;
    chart.querySelector(".chart-table").hidden = !table;
    draw(chart);
  }

  const charts = [...document.querySelectorAll("[data-chart]")];
  for (const chart of charts) {
    const button = chart.querySelector(".chart-switch");
    button.hidden = false;
    button.addEventListener("click", () => show(chart, !chart.querySelector(".chart-plot").hidden));
    show(chart, false);
  }

  let waiting;
  const redraw = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => charts.forEach(draw), calm ? 0 : 80);
  };
  new MutationObserver(redraw).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-bs-theme"],
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", redraw);
  addEventListener("beforeprint", () => charts.forEach((chart) => show(chart, true)));
  addEventListener("afterprint", () => charts.forEach((chart) => show(chart, false)));
})();
