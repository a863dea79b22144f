// Draws the charts of 总览 from the figures that the page carries. What they show stands in the tables beside them too.
"use strict";
(() => {
  const page = document.getElementById("overview");
  const figures = JSON.parse(page.dataset.charts);
  const words = JSON.parse(page.dataset.words);
  const INK = "#1c2430";
  const SOFT = "#5b6675";
  const BLUE = "#173f7a";
  const LOOK = { within: "#173f7a", borderline: "#7d9cc9", exceeded: "#b3261e", no_answer: "#5b6675" };
  // Colour is never the only sign: each kind has a pattern of its own, too.
  const PATTERNS = [null, { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: 0.8 }, { symbol: "triangle", symbolSize: 0.6 }, { symbol: "circle", symbolSize: 0.5 }];
  const base = {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: INK },
    tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" } },
    grid: { left: 8, right: 44, top: 12, bottom: 8, containLabel: true },
  };
  const axis = { axisLine: { lineStyle: { color: SOFT } }, axisLabel: { color: INK }, splitLine: { lineStyle: { color: "#e3e8ee" } } };
  const value = { type: "value", minInterval: 1, ...axis };

  const options = {
    verdicts: () => ({
      ...base,
      xAxis: value,
      yAxis: { type: "category", inverse: true, data: figures.verdicts.map(([name]) => name), ...axis, axisLabel: { color: INK, interval: 0, width: 110, overflow: "truncate" } },
      series: [{ type: "bar", data: figures.verdicts.map(([, count]) => count), itemStyle: { color: BLUE }, label: { show: true, position: "right", color: INK } }],
    }),
    months: () => ({
      ...base,
      // In a narrow chart each kind takes a line of its own.
      legend: { bottom: 0, itemWidth: 14, itemGap: 6, orient: "vertical", left: 8, textStyle: { color: INK } },
      grid: { ...base.grid, bottom: 96 },
      xAxis: value,
      yAxis: { type: "category", inverse: true, data: figures.months.map((month) => month.name), ...axis },
      series: Object.keys(LOOK).map((key, number) => ({
        name: words[key],
        type: "bar",
        stack: "calls",
        data: figures.months.map((month) => month[key]),
        itemStyle: { color: LOOK[key], decal: PATTERNS[number] || undefined, borderColor: "#fff", borderWidth: 1 },
      })),
    }),
    seconds: () => ({
      ...base,
      grid: { ...base.grid, top: 30 },
      xAxis: {
        type: "category",
        data: figures.seconds.map((_, second) => (second === figures.seconds.length - 1 ? `≥${second}` : String(second))),
        name: words.seconds,
        nameLocation: "end",
        ...axis,
      },
      yAxis: value,
      series: [
        {
          type: "bar",
          data: figures.seconds,
          barCategoryGap: "10%",
          itemStyle: { color: "#7d9cc9" },
          markLine: {
            symbol: "none",
            silent: true,
            lineStyle: { color: "#b3261e", width: 2, type: "solid" },
            label: { color: "#b3261e", formatter: (mark) => `${mark.name} ${words.seconds}` },
            // A bin begins at its second: the limit lies at its left edge.
            data: figures.limits.map((limit) => ({ name: String(limit), xAxis: Math.round(limit) })),
          },
        },
      ],
    }),
  };

  const charts = [...page.querySelectorAll("[data-chart]")].map((node) => {
    if (node.dataset.chart === "verdicts") node.style.height = `${Math.max(120, 40 + 26 * figures.verdicts.length)}px`;
    const chart = window.echarts.init(node, null, { renderer: "svg" });
    chart.setOption(options[node.dataset.chart]());
    return chart;
  });
  const resize = () => charts.forEach((chart) => chart.resize());
  addEventListener("resize", resize);
  addEventListener("beforeprint", resize);
})();
