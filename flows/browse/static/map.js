// The map: every person in a plane, those who look alike beside each other; a lasso makes a list of them.

import { count, fill, get, getBytes, h, identityAddress } from "./dom.js";
import { ChosenList, Persons } from "./map_list.js";
import { MapCanvas, MARKS } from "./map_canvas.js";
import { commandKey, press } from "./keys.js";

const PAN_PX = 60, ZOOM = 1.4, NEAREST = 10, TYPING_MS = 150;
const HELP = "Map of all persons. Arrows go to the next person, Shift and arrows move the map, plus and minus zoom, 0 shows all. " +
  "Space chooses a person, E the ten nearest, V all on the screen. Enter opens one.";
const kept = { table: "", scale: 1, centre: [0, 0], chosen: [], query: "" }; // what the map showed when it was left

export async function mapPage(page) {
  const map = new MapPage(page, await get("map"));
  await map.load();
  return { refresh: () => map.refresh(), leave: () => map.leave(), search: () => map.query.focus() };
}

class MapPage {
  constructor(page, view) {
    Object.assign(this, { page, view, persons: new Persons(view.table), pointers: new Map(), lassoing: false });
    this.element = h("canvas", { tabindex: "0", role: "application", "aria-label": HELP, "aria-roledescription": "map" });
    this.map = new MapCanvas(this.element);
    if (kept.table === view.table) Object.assign(this.map, { scale: kept.scale, centre: kept.centre, chosen: new Set(kept.chosen) });
    this.list = new ChosenList(this.persons, this.map.chosen, () => this.changed());
    this.name = h("p", { class: "soft here", role: "status" });
    this.query = h("input", { id: "map-query", type: "search", autocomplete: "off", spellcheck: "false" });
    this.query.value = kept.query;
    this.total = h("output", { for: "map-query", class: "soft" });
    this.lasso = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggleLasso() }, "Lasso ", h("kbd", {}, "L"));
    this.legend = h("fieldset", { class: "legend" });
    this.draw();
    this.listen();
  }

  draw() {
    const button = (words, key, run) => h("button", { type: "button", onclick: run }, words, " ", h("kbd", {}, key));
    fill(this.page, h("h1", {}, "Map"), h("p", { class: "lead soft" }, this.lead()),
      h("form", { class: "controls", role: "search", onsubmit: (event) => { event.preventDefault(); this.toFirst(); } },
        h("label", {}, "Name contains (/)", this.query), this.total, this.legend),
      h("div", { class: "controls tools", role: "toolbar", "aria-label": "Map" }, this.lasso,
        button("Nearest ten", "E", () => this.addNearest()), button("All on the screen", "V", () => this.addInView()),
        h("button", { type: "button", "aria-label": "Zoom in", onclick: () => this.map.zoom(ZOOM) }, "+"), h("button", { type: "button", "aria-label": "Zoom out", onclick: () => this.map.zoom(1 / ZOOM) }, "−"),
        button("Whole map", "0", () => this.map.whole())),
      h("div", { class: "beside mapped" }, h("div", {}, h("div", { class: "plane" }, this.element), this.name), this.list.element));
    this.drawLegend();
  }

  lead() {
    const { persons, without_person: without } = this.view;
    return `${count(persons)} persons; those whose faces are alike are near each other, far distances say little. ` +
      (without ? `${count(without)} identities have no place: no person was found in them. ` : "") + "Drag moves the map, the wheel or two fingers zoom, Shift and drag draws a lasso.";
  }

  drawLegend() {
    const item = (mark, i) => {
      const toggle = (event) => { this.map.shown = event.target.checked ? this.map.shown | (1 << i) : this.map.shown & ~(1 << i); this.map.draw(); };
      return h("label", {}, h("input", { type: "checkbox", checked: Boolean(this.map.shown & (1 << i)), onchange: toggle }),
        h("span", { class: `mark ${mark.name}`, "aria-hidden": "true" }, mark.shape), ` ${this.view.marks[i].words} (${count(this.view.marks[i].persons)})`);
    };
    fill(this.legend, h("legend", {}, "Marked on the map"), MARKS.map(item));
  }

  listen() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, (event) => this.up(event));
    element.addEventListener("wheel", (event) => { event.preventDefault(); this.map.zoom(Math.exp(-event.deltaY / 300), [event.clientX, event.clientY]); }, { passive: false });
    element.addEventListener("dblclick", () => this.map.at >= 0 && this.open());
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.query.addEventListener("input", () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.search(), TYPING_MS); });
    this.resized = new ResizeObserver(() => this.map.resize());
    this.resized.observe(element);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.map.draw();
    this.dark.addEventListener("change", this.onScheme);
  }

  leave() {
    Object.assign(kept, { table: this.view.table, scale: this.map.scale, centre: this.map.centre, chosen: [...this.map.chosen], query: this.query.value });
    document.removeEventListener("keydown", this.onKey);
    this.dark.removeEventListener("change", this.onScheme);
    this.resized.disconnect();
    clearTimeout(this.typing);
  }

  async load() {
    this.map.take(await getBytes("map/points"));
    await Promise.all([this.list.draw(), this.search()]);
  }

  /** After a decision. After another refinement with other persons the page is made anew, for it has another map. */
  async refresh() {
    const view = await get("map").catch((error) => { if (error.status !== 202) throw error; });
    if (view?.table !== this.view.table) return window.dispatchEvent(new Event("hashchange"));
    this.view = view;
    this.persons.forget();
    await this.load();
    this.drawLegend();
  }

  changed() {
    this.map.draw();
    return this.list.draw();
  }

  add(numbers) {
    for (const i of numbers) this.map.chosen.add(i);
    return this.changed();
  }

  addNearest() {
    if (this.map.at < 0) this.at(this.map.step(0, 0));
    if (this.map.at >= 0) this.add(this.map.nearest(this.map.x[this.map.at], this.map.y[this.map.at], NEAREST + 1));
  }

  addInView() {
    this.add(this.map.inView());
  }

  toggle(i) {
    this.map.chosen.has(i) ? this.map.chosen.delete(i) : this.map.chosen.add(i);
    this.changed();
  }

  async open() {
    const [person] = await this.persons.of([this.map.at]);
    location.hash = identityAddress(person.row.name);
  }

  toggleLasso() {
    this.lassoing = !this.lassoing;
    this.lasso.setAttribute("aria-pressed", String(this.lassoing));
    this.element.classList.toggle("lassoing", this.lassoing);
  }

  async search() {
    const query = this.query.value.trim();
    const { total, numbers } = query ? await get("map/search", { query }) : { total: 0, numbers: [] };
    if (this.query.value.trim() !== query) return;
    this.map.found = new Set(numbers);
    this.total.textContent = query ? `${count(total)} ringed` : "";
    this.map.draw();
  }

  async toFirst() {
    await this.search();
    const [first] = this.map.found;
    if (first === undefined) return;
    this.element.focus();
    this.at(first);
  }

  /** Make a point the current one, and tell its name. */
  async at(i, { show = true } = {}) {
    if (i < 0 || i === this.map.at) return;
    this.map.at = i;
    show ? this.map.show(i) : this.map.draw();
    const [person] = await this.persons.of([i]);
    if (this.map.at !== i) return;
    const words = person.marks.map((name) => this.view.marks.find((m) => m.name === name).words);
    this.name.textContent = [person.row.name, `${count(person.row.kept)} photos kept`, ...words, this.map.chosen.has(i) && "chosen"].filter(Boolean).join(" · ");
  }

  down(event) {
    if (event.button > 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.start = [event.clientX, event.clientY];
    this.map.lasso = this.pointers.size === 1 && (this.lassoing || event.shiftKey) ? [this.map.toPlace(event.clientX, event.clientY)] : null;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.at(this.map.near(event.clientX, event.clientY), { show: false });
    const now = [event.clientX, event.clientY];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (this.map.lasso) {
      this.map.lasso.push(this.map.toPlace(...now));
      this.map.draw();
    } else if (other) {
      const apart = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
      this.map.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      this.map.zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    } else this.map.pan(now[0] - before[0], now[1] - before[1]);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const moved = Math.hypot(event.clientX - this.start[0], event.clientY - this.start[1]);
    const { lasso } = this.map;
    this.map.lasso = null;
    if (lasso?.length > 2) this.add(this.map.inside(lasso));
    else if (moved < 4 && event.type === "pointerup" && !this.pointers.size) {
      const i = this.map.near(event.clientX, event.clientY);
      this.at(i, { show: false });
      if (i >= 0) this.toggle(i);
    }
    this.map.draw();
  }

  key(event) {
    const key = commandKey(event, "input:not([type=checkbox]), textarea, select, dialog"), onMap = event.target === this.element;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    const zoom = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM }[key];
    const everywhere = { e: () => this.addNearest(), v: () => this.addInView(), l: () => this.toggleLasso(), 0: () => this.map.whole() };
    const there = { " ": () => this.map.at >= 0 && this.toggle(this.map.at), Enter: () => this.map.at >= 0 && this.open() };
    if (onMap && arrows) event.shiftKey ? this.map.pan(-PAN_PX * arrows[0], -PAN_PX * arrows[1]) : this.at(this.map.step(...arrows));
    else if (zoom) this.map.zoom(zoom);
    else return press(event, (onMap && there[key]) || everywhere[key] || this.list.keys()[key]);
    event.preventDefault();
  }
}
