"use strict";

// Light or dark: the system's choice until the button is pressed.
{
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    name();
  });
  system.addEventListener("change", name);
  button.hidden = false;
  name();
}

// A click on a header sorts by its column: ascending, descending, original order.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const valueOf = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = Number.parseFloat(text.replace(/^(epoch|±) /, "").replaceAll(",", "").replace("−", "-"));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = next[head.getAttribute("aria-sort")];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const rows = [...original];
      if (order !== "none") {
        const byText = column === 0;
        const value = (row) => (byText ? row.cells[0].textContent.trim() : valueOf(row, column));
        rows.sort((a, b) => sign * compare(value(a), value(b)));
      }
      body.append(...rows);
    });
  });
}

// The curves show the values of the epoch under the pointer or on the slider.
const curves = JSON.parse(document.getElementById("curves").textContent);
const sets = [["train", "training"], ["test", "test"]];

function valuesText(panel, epoch, set) {
  const digits = panel === "loss" ? (value) => value.toPrecision(3) : (value) => value.toFixed(2);
  const values = set.values.map((seed) => seed[epoch]).filter((value) => value != null);
  if (!values.length) return "–";
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const range = `${digits(Math.min(...values))}–${digits(Math.max(...values))}`;
  return values.length > 1 ? `${digits(mean)}  (${range})` : digits(mean);
}

for (const figure of document.querySelectorAll("figure.curves")) {
  const data = curves[figure.dataset.key];
  const scrub = figure.querySelector(".scrub");
  const slider = scrub.querySelector("input");
  const panels = [...figure.querySelectorAll(".panel")].map((panel) => ({
    name: panel.dataset.panel,
    panel,
    svg: panel.querySelector("svg"),
    cross: panel.querySelector(".cross"),
    tip: panel.querySelector(".tip"),
  }));
  const output = scrub.querySelector("output");

  const show = (epoch) => {
    const lines = [];
    for (const { name, panel, svg, cross, tip } of panels) {
      const series = data.panels[name];
      const x = data.x[epoch];
      const line = cross.querySelector("line");
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      for (const [set] of sets) {
        const circle = cross.querySelector(`circle.${set}`);
        const y = series[set].y[epoch];
        circle.style.display = y == null || y > line.getAttribute("y2") ? "none" : "";
        circle.setAttribute("cx", x);
        circle.setAttribute("cy", y ?? 0);
      }
      const values = sets.map(([set, word]) => [word, valuesText(name, epoch, series[set])]);
      tip.textContent = [`epoch ${epoch + 1}`, ...values.map((pair) => pair.join("  "))].join("\n");
      lines.push(`${name}: ${values.map((pair) => pair.join(" ")).join(", ")}`);
      cross.removeAttribute("hidden");
      tip.hidden = false;
      const width = svg.viewBox.baseVal.width;
      const place = (x / width) * panel.clientWidth;
      const left = place > panel.clientWidth / 2 ? place - tip.offsetWidth - 12 : place + 12;
      tip.style.left = `${Math.max(0, Math.min(left, panel.clientWidth - tip.offsetWidth))}px`;
    }
    output.textContent = lines.join(" · ");
    slider.value = epoch + 1;
    slider.setAttribute("aria-valuetext", `epoch ${epoch + 1}`);
  };
  const hide = () => {
    for (const { cross, tip } of panels) {
      cross.setAttribute("hidden", "");
      tip.hidden = true;
    }
  };
  const nearest = (event, svg) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const distances = data.x.map((place) => Math.abs(place - x));
    return distances.indexOf(Math.min(...distances));
  };
  for (const { panel, svg } of panels) {
    panel.addEventListener("pointermove", (event) => show(nearest(event, svg)));
    panel.addEventListener("pointerdown", (event) => show(nearest(event, svg)));
    panel.addEventListener("pointerleave", hide);
  }
  slider.addEventListener("input", () => show(slider.valueAsNumber - 1));
  slider.addEventListener("focus", () => show(slider.valueAsNumber - 1));
  slider.addEventListener("blur", hide);
  scrub.hidden = false;
}

// The list of networks marks the one on the screen.
if ("IntersectionObserver" in window) {
  const links = new Map();
  for (const link of document.querySelectorAll("nav a")) links.set(link.hash.slice(1), link);
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "location");
    }
  }, { rootMargin: "-10% 0px -85% 0px" });
  for (const section of document.querySelectorAll("section.iteration")) watch.observe(section);
}
