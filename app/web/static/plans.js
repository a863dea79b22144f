// The form and the page of a plan: the filter over the tree of units, more rows, the heat map of loads.
"use strict";
(() => {
  // Filter boxes: what matches stays, and so does what is ticked.
  const filter = (box) => {
    const words = box.value.trim().toLowerCase();
    for (const row of document.getElementById(box.dataset.filters).children) {
      const ticked = row.querySelector("input:checked") !== null;
      row.hidden = words !== "" && !ticked && !row.textContent.toLowerCase().includes(words);
    }
  };
  for (const box of document.querySelectorAll("input[data-filters]")) {
    box.addEventListener("input", () => filter(box));
    // Enter in the box must not send the form; nor is what stands in it a change of the plan.
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    box.addEventListener("change", (event) => event.stopPropagation());
  }

  const count = () => {
    for (const line of document.querySelectorAll("[data-counts]")) {
      const ticked = (name) => document.querySelectorAll(`input[name="${name}"]:checked`).length;
      line.textContent = line.dataset.text
        .replace("{n}", ticked("subtrees"))
        .replace("{m}", ticked("exclude"));
    }
  };
  document.addEventListener("change", count);
  count();

  // One more row of the same kind, empty.
  for (const button of document.querySelectorAll("[data-adds]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const rows = button.parentElement.querySelectorAll(`.${button.dataset.adds}`);
      const row = rows[rows.length - 1].cloneNode(true);
      row.querySelectorAll(".wrong").forEach((wrong) => wrong.remove());
      row.querySelectorAll("input").forEach((input) => {
        input.value = "";
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
      });
      button.before(row);
      row.querySelector("input").focus();
    });
  }

  const YEAR_HEIGHT = 170;
  const years = (loads) => [...new Set(loads.map(([day]) => day.slice(0, 4)))];
  const WIDEST = 40;
  const LEFT = 60;
  const weeks = (first, last) => Math.ceil((Date.parse(last) - Date.parse(first)) / 604800000) + 1;
  const calendars = (loads, box) =>
    years(loads).map((year, number) => {
      const days = loads.filter(([day]) => day.startsWith(year)).map(([day]) => day);
      const room = (box.clientWidth - LEFT - 20) / weeks(days[0], days[days.length - 1]);
      return {
        top: 54 + number * YEAR_HEIGHT,
        left: LEFT,
        cellSize: [Math.min(room, WIDEST), 16],
        range: [days[0], days[days.length - 1]],
        itemStyle: { color: "#fff", borderColor: "#c5cdd8", borderWidth: 0.5 },
        splitLine: { lineStyle: { color: "#5b6675", width: 1 } },
        dayLabel: { firstDay: 1, nameMap: box.dataset.days.split(","), color: "#5b6675" },
        monthLabel: { nameMap: box.dataset.months.split(","), color: "#5b6675" },
        yearLabel: { formatter: "{start}", color: "#5b6675", margin: 34, fontSize: 13 },
      };
    });

  const draw = (box) => {
    const loads = JSON.parse(box.dataset.loads);
    if (!window.echarts || !loads.length) return;
    box.classList.add(`years-${Math.min(years(loads).length, 4)}`);
    const chart = window.echarts.init(box, null, { renderer: "svg" });
    const most = Math.max(...loads.map(([, calls]) => calls), 0.01);
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: "inherit" },
      tooltip: {
        renderMode: "richText",
        formatter: ({ value }) => `${value[0]}  ${value[1].toFixed(1)} ${box.dataset.unit}`,
      },
      visualMap: {
        min: 0,
        max: most,
        calculable: false,
        orient: "horizontal",
        left: LEFT,
        top: 0,
        itemWidth: 12,
        itemHeight: 90,
        precision: 1,
        inRange: { color: ["#eef3fa", "#a9c1e3", "#5f87c2", "#21508f", "#0d2c5a"] },
        text: [most.toFixed(1), "0"],
      },
      calendar: calendars(loads, box),
      series: years(loads).map((year, number) => ({
        type: "heatmap",
        coordinateSystem: "calendar",
        calendarIndex: number,
        itemStyle: { borderColor: "#fff", borderWidth: 1 },
        data: loads.filter(([day]) => day.startsWith(year)),
      })),
    });
    new ResizeObserver(() => {
      chart.resize();
      chart.setOption({ calendar: calendars(loads, box) });
    }).observe(box);
  };
  const drawAll = () => {
    for (const box of document.querySelectorAll(".load-chart:not([data-drawn])")) {
      box.dataset.drawn = "1";
      draw(box);
    }
  };
  document.addEventListener("htmx:afterSwap", drawAll);
  drawAll();
})();
