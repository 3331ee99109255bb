// One identity: its faces as a wall, by fate and cluster, with the names that look like it beside it.

import { changed, count, faceImage, fill, get, h, nameLink, number, photoAddress } from "./dom.js";
import { askName } from "./ask_name.js";
import { ask, decide } from "./decide.js";
import { commandKey, press } from "./keys.js";
import { newest } from "./newest.js";

const MARK_HELP = "Click marks a photo, Shift+click a row of them; arrows move, Space marks, C marks its cluster, Enter opens.";

export async function identityPage(page, name) {
  const wall = new Wall(page, name);
  await wall.load();
  const onKey = (event) => wall.key(event);
  document.addEventListener("keydown", onKey);
  return { refresh: () => wall.load(), leave: () => document.removeEventListener("keydown", onKey) };
}

class Wall {
  constructor(page, name) {
    Object.assign(this, { page, name, marked: new Set(), anchor: null, at: null, offsets: [0] });
    this.read = newest(() => get("identity", { name, offset: this.offsets.at(-1) }));
  }

  async load() {
    const focused = document.activeElement?.dataset?.face;
    const view = await this.read();
    if (!changed(this, view)) return;
    this.view = view;
    this.faces = this.view.groups.flatMap((g) => g.faces.map((f) => f.face_id));
    this.marked = new Set([...this.marked].filter((face) => this.faces.includes(face)));
    this.near ??= h("div", { class: "near" }, h("p", { class: "soft" }, "Comparing with all persons …"));
    this.draw();
    if (focused) this.cell(focused)?.focus({ preventScroll: true });
    if (!this.asked) {
      this.asked = true;
      this.later = get("identity/near", { name: this.view.persons[0] ?? this.name }).then((people) => this.showNear(people), () => fill(this.near));
    }
  }

  draw() {
    const { row, groups, left_out: leftOut } = this.view;
    this.bar = h("div", { class: "actions", role: "toolbar", "aria-label": "Decide about the marked photos" });
    fill(this.page,
      h("h1", {}, row.name),
      h("p", { class: "lead" }, `${count(row.claimed)} photos claimed: ${count(row.claimed - row.removed - row.moved_away)} kept, ` +
        `${count(row.removed)} removed, ${count(row.moved_away)} moved away; ${count(row.moved_here)} moved here. ` +
        `${count(row.kept)} photos are kept under this name; its person's cohesion is ${number(row.cohesion)}.`),
      this.persons(), this.bar,
      h("div", { class: "beside" },
        h("div", { class: "wall" }, groups.map((g) => this.group(g)), this.turns(leftOut)),
        h("aside", { "aria-label": "Names that look like it" }, this.links(), h("h2", {}, "Most alike"), this.near)));
    this.drawBar();
  }

  /** The way to the other photos of a very large identity. */
  turns(leftOut) {
    const turn = (words, change) => h("button", { type: "button", onclick: () => { change(); this.anchor = null; this.load(); } }, words);
    return h("p", { class: "pair" }, this.offsets.length > 1 && turn("Earlier photos", () => this.offsets.pop()),
      leftOut > 0 && turn(`Further photos (${count(leftOut)})`, () => this.offsets.push(this.offsets.at(-1) + this.faces.length)));
  }

  persons() {
    const others = this.view.persons.filter((p) => p !== this.name);
    if (!others.length) return null;
    return h("p", {}, this.name === this.view.identity ? "Further persons found under it: " : `Found under ${this.view.identity}: `,
      others.map((p, i) => [i ? ", " : "", nameLink(p)]));
  }

  group(g) {
    const all = () => this.markAll(g);
    return h("section", {},
      h("h2", { class: `fate ${className(g.fate)}` }, `${g.title} `, h("small", {}, count(g.faces.length))),
      h("button", { type: "button", class: "quiet", onclick: all, "aria-label": `Mark all ${g.faces.length} photos: ${g.title}` }, "Mark all"),
      h("div", { class: "faces", role: "listbox", "aria-multiselectable": "true", "aria-label": g.title },
        g.faces.map((f) => this.face(f))));
  }

  markAll(group) {
    for (const face of group?.faces ?? []) this.marked.add(face.face_id);
    this.update();
  }

  face(f) {
    const elsewhere = f.claimed !== this.view.identity ? `, claimed as ${f.claimed ?? "nobody"}` : "";
    const words = `score ${number(f.score)}${elsewhere}${f.verdict === "unsure" ? ", waits for people" : ""}`;
    const people = f.verdict && f.who !== "policy";
    return h("div", { class: "face", role: "option", "data-face": f.face_id, tabindex: this.faces[0] === f.face_id ? "0" : "-1",
      "aria-selected": String(this.marked.has(f.face_id)), "aria-label": words, title: words,
      onclick: (event) => this.click(f.face_id, event), ondblclick: () => this.open(f.face_id) },
      faceImage(f.face_id, ""), h("span", { class: "score" }, number(f.score), people ? " ✓" : f.verdict === "unsure" ? " ?" : ""));
  }

  cell(face) {
    return this.page.querySelector(`[data-face="${CSS.escape(face)}"]`);
  }

  open(face) {
    location.hash = photoAddress(face);
  }

  click(face, event) {
    if (event.shiftKey && this.anchor) this.range(this.anchor, face);
    else this.marked.has(face) ? this.marked.delete(face) : this.marked.add(face);
    if (!event.shiftKey) this.anchor = face;
    this.focus(face);
    this.update();
  }

  range(from, to) {
    const [a, b] = [this.faces.indexOf(from), this.faces.indexOf(to)].sort((x, y) => x - y);
    for (const face of this.faces.slice(a, b + 1)) this.marked.add(face);
  }

  focus(face) {
    for (const cell of this.page.querySelectorAll(".face[tabindex='0']")) cell.tabIndex = -1;
    const cell = this.cell(face);
    if (!cell) return;
    cell.tabIndex = 0;
    cell.focus();
    this.at = face;
  }

  update() {
    for (const cell of this.page.querySelectorAll(".face")) cell.setAttribute("aria-selected", String(this.marked.has(cell.dataset.face)));
    this.drawBar();
  }

  drawBar() {
    const n = this.marked.size;
    const act = (key, words, run, needs = true) => h("button", { type: "button", disabled: needs && !n, onclick: run }, `${words} `, h("kbd", {}, key));
    fill(this.bar,
      h("span", { class: "marked", role: "status" }, n ? `${count(n)} marked` : MARK_HELP),
      act("K", "Keep", () => this.act("keep")), act("R", "Remove", () => this.act("remove")),
      act("U", "Unusable", () => this.act("unusable")), act("M", "Move to …", () => this.move()),
      act("S", "Split these", () => this.act("split")), act("A", "Ask annotators", () => this.ask()),
      act("G", "Merge with …", () => this.pair("merge"), false), act("N", "Not the same as …", () => this.pair("separate"), false),
      this.isSplit() && act("J", "Undo the split", () => decide({ kind: "unsplit", name: this.name }), false),
      act("Esc", "Clear", () => this.clear()));
  }

  isSplit() {
    return this.name !== this.view.identity || this.view.groups.some((g) => g.reason === "split");
  }

  clear() {
    this.marked.clear();
    this.update();
  }

  async act(kind) {
    const name = kind === "split" ? this.view.identity : "";
    if (this.marked.size && (await decide({ kind, faces: [...this.marked], name }))) this.clear();
  }

  async ask() {
    if (this.marked.size && (await ask([...this.marked]))) this.clear();
  }

  async move() {
    if (!this.marked.size) return;
    const name = await askName(`Move ${count(this.marked.size)} photos to`, () => this.proposed(), this.later);
    if (name && (await decide({ kind: "move", faces: [...this.marked], name }))) this.clear();
  }

  async pair(kind) {
    const other = await askName(kind === "merge" ? `${this.name} is the same person as` : `${this.name} is not`, () => this.proposed(), this.later);
    if (other) await decide({ kind, name: this.name, other });
  }

  proposed() {
    const names = new Map();
    for (const p of [...this.view.links, ...(this.people ?? [])]) if (!names.has(p.name)) names.set(p.name, { name: p.name, note: `score ${number(p.score)}` });
    return [...names.values()].filter((p) => p.name !== this.name);
  }

  links() {
    if (!this.view.links.length) return null;
    const words = { yes: "merged", no: "not the same", unsure: "waits for people" };
    return [h("h2", {}, "Found alike"), h("ul", { class: "people" }, this.view.links.map((l) => h("li", {}, nameLink(l.name),
      h("span", { class: "soft" }, ` score ${number(l.score)}, ${count(l.photos)} photos: ${words[l.verdict] ?? l.verdict}${l.who === "policy" ? "" : `, with the answers of ${l.who}`}`),
      h("span", { class: "pair" },
        h("button", { type: "button", onclick: () => decide({ kind: "finding", finding: l.finding_id, verdict: "yes" }) }, "Same person"),
        h("button", { type: "button", onclick: () => decide({ kind: "finding", finding: l.finding_id, verdict: "no" }) }, "Not the same")))))];
  }

  showNear(people) {
    this.people = people;
    const rows = people.map((p) => h("li", {}, faceImage(p.medoid, "", 56), h("span", {}, nameLink(p.name), h("span", { class: "soft" }, ` score ${number(p.score)}`))));
    fill(this.near, rows.length ? h("ul", { class: "people" }, rows) : h("p", { class: "soft" }, "No person was found in it."));
  }

  key(event) {
    const key = commandKey(event);
    const keys = { k: () => this.act("keep"), r: () => this.act("remove"), u: () => this.act("unusable"), m: () => this.move(),
      s: () => this.act("split"), a: () => this.ask(), g: () => this.pair("merge"), n: () => this.pair("separate"),
      j: () => this.isSplit() && decide({ kind: "unsplit", name: this.name }), Escape: () => this.clear() };
    const cell = event.target.closest?.(".face");
    if (cell) Object.assign(keys, { " ": () => this.click(cell.dataset.face, event), Enter: () => this.open(cell.dataset.face),
      c: () => this.markAll(this.view.groups.find((g) => g.faces.some((f) => f.face_id === cell.dataset.face))) });
    if (!press(event, keys[key]) && cell && key.startsWith("Arrow")) {
      event.preventDefault();
      this.step(cell, event);
    }
  }

  step(cell, event) {
    const cells = [...this.page.querySelectorAll(".face")], at = cells.indexOf(cell);
    let next = at + ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0);
    if (next === at) {
      const box = cell.getBoundingClientRect(), down = event.key === "ArrowDown";
      const rows = (down ? cells.slice(at + 1) : cells.slice(0, at).reverse()).filter((c) => Math.abs(c.getBoundingClientRect().top - box.top) > 4);
      const top = rows[0]?.getBoundingClientRect().top;
      const line = rows.filter((c) => Math.abs(c.getBoundingClientRect().top - top) < 4);
      const nearest = line.sort((a, b) => Math.abs(a.getBoundingClientRect().left - box.left) - Math.abs(b.getBoundingClientRect().left - box.left))[0];
      next = nearest ? cells.indexOf(nearest) : at;
    }
    if (next < 0 || next >= cells.length) return;
    if (event.shiftKey) {
      this.anchor ??= cell.dataset.face;
      this.range(this.anchor, cells[next].dataset.face);
      this.update();
    }
    this.focus(cells[next].dataset.face);
  }
}

const className = (fate) => ({ kept: "kept", "moved here": "relabelled", "moved away": "relabelled" })[fate] ?? "removed";
