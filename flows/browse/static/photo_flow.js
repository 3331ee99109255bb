// A flow chart of all photos: ingested, then with or without a face, then kept, relabelled or removed for a reason.
// Heights are shares of all photos, and each box is as high as its bands together. The table below has the numbers.

import { count, h, share, svg } from "./dom.js";

const LINE = 34, HEIGHT = 300, BAR = 10, NARROW = 620, WIDEST = 900; // pixels

/** The chart of an overview: its element, and leave() for when the page is left. */
export function photoFlow({ flow, ingested }) {
  const ends = flow.filter((b) => b.start !== "ingested");
  const words = ends.map((b) => `${b.fate === "removed" ? "removed: " : ""}${b.end} ${count(b.photos)}`).join(", ");
  const element = svg("svg", { class: "flow", role: "img", "aria-label": `Of ${count(ingested)} photos: ${words}. The table below says the same.` });
  const draw = () => {
    const width = Math.min(WIDEST, Math.max(280, element.parentNode?.clientWidth ?? 0));
    element.setAttribute("height", String(paint(element, { flow, ends, ingested, width })));
  };
  const resized = new ResizeObserver(draw);
  const holder = h("div", { class: "chart" }, element);
  resized.observe(holder);
  return { element: holder, leave: () => resized.disconnect() };
}

/** Draw the chart at this width; returns its height. */
function paint(element, { flow, ends, ingested, width }) {
  const narrow = width < NARROW, scale = HEIGHT / Math.max(1, ingested);
  const xs = narrow ? [0, 92, width - 132] : [0, width * 0.3, width * 0.62];
  const firsts = flow.filter((b) => b.start === "ingested");
  const columns = [boxes([["ingested", "all", ingested]], scale), boxes(firsts.map((b) => [b.end, b.fate || "all", b.photos]), scale), boxes(ends.map((b) => [b.end, b.fate, b.photos]), scale)];
  const out = new Map(), into = new Map();
  const band = (b, i) => {
    const from = columns[i].get(b.start), to = columns[i + 1].get(b.end), high = b.photos * scale;
    const y0 = from.y + (out.get(b.start) ?? 0), y1 = to.y + (into.get(b.end) ?? 0);
    out.set(b.start, y0 - from.y + high);
    into.set(b.end, y1 - to.y + high);
    const x0 = xs[i] + BAR, x1 = xs[i + 1], middle = (x0 + x1) / 2;
    return svg("path", { class: `band ${b.fate || "all"}`,
      d: `M${x0} ${y0} C${middle} ${y0} ${middle} ${y1} ${x1} ${y1} l0 ${high} C${middle} ${y1 + high} ${middle} ${y0 + high} ${x0} ${y0 + high} z` });
  };
  const label = (name, box, i) => {
    const x = xs[i] + BAR + 5, y = box.y + box.high / 2, numbers = narrow && i < 2 ? count(box.photos) : `${count(box.photos)} (${share(box.photos, ingested)})`;
    return svg("text", { x, y: y - 3 }, svg("tspan", {}, box.fate === "removed" && i === 2 ? `✕ ${name}` : name), svg("tspan", { x, dy: "1.15em" }, numbers));
  };
  const bars = columns.flatMap((column, i) => [...column].map(([name, box]) => [
    svg("rect", { class: box.fate, x: xs[i], y: box.y, width: BAR, height: Math.max(1, box.high) }), label(name, box, i)]));
  element.replaceChildren(...firsts.map((b) => band(b, 0)), ...ends.map((b) => band(b, 1)), ...bars.flat());
  const lowest = Math.max(...columns.flatMap((column) => [...column.values()].map((box) => box.y + Math.max(box.high, LINE) + 4)));
  element.setAttribute("viewBox", `0 0 ${width} ${lowest}`);
  return lowest;
}

/** The boxes of a column by name, one below the other; one that is lower than its words is in the middle of their room. */
function boxes(rows, scale) {
  let y = 2;
  return new Map(rows.map(([name, fate, photos]) => {
    const high = photos * scale, room = Math.max(high, LINE);
    const box = { fate, photos, high, y: y + (room - high) / 2 };
    y += room + 6;
    return [name, box];
  }));
}
