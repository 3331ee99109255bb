// The list beside the map: identities that were chosen on it, to be opened, decided about, or given to annotators.

import { count, faceImage, fill, get, h, nameLink, post } from "./dom.js";
import { ask, decide } from "./decide.js";
import { MARKS } from "./map_canvas.js";

const SHOWN = 60, ASKED = 200, MOST_PAIRS = 10; // rows shown at first; persons of a request; decisions of one press

/** What the gallery knows of persons of the map, asked for once and by the hundred. */
export class Persons {
  /** table: of which the numbers are rows. */
  constructor(table) {
    Object.assign(this, { table, known: new Map() });
  }

  async of(numbers) {
    const wanted = numbers.filter((i) => !this.known.has(i));
    for (let at = 0; at < wanted.length; at += ASKED) {
      for (const person of await post("map/persons", { table: this.table, numbers: wanted.slice(at, at + ASKED) })) this.known.set(person.number, person);
    }
    return numbers.map((i) => this.known.get(i));
  }

  forget() {
    this.known.clear();
  }
}

export class ChosenList {
  /** chosen: the set of numbers that the map shows as chosen; onChange: is called when it changed here. */
  constructor(persons, chosen, onChange) {
    Object.assign(this, { persons, chosen, onChange, marked: new Set(), most: SHOWN });
    this.bar = h("div", { class: "actions", role: "toolbar", "aria-label": "Decide about the marked identities" });
    this.list = h("ul", { class: "people" });
    this.element = h("aside", { class: "chosen", "aria-label": "Chosen identities" }, this.bar, this.list);
  }

  async draw() {
    this.marked = new Set([...this.marked].filter((i) => this.chosen.has(i)));
    const shown = [...this.chosen].slice(0, this.most);
    this.drawBar();
    const people = await this.persons.of(shown);
    const left = this.chosen.size - shown.length;
    fill(this.list, people.filter((p) => this.chosen.has(p.number)).map((p) => this.item(p)),
      left > 0 && h("li", {}, h("button", { type: "button", onclick: () => { this.most += SHOWN; this.draw(); } }, `Show ${count(Math.min(left, SHOWN))} more of ${count(left)}`)));
  }

  item({ number, row, medoid, marks }) {
    const toggle = (event) => { event.target.checked ? this.marked.add(number) : this.marked.delete(number); this.drawBar(); };
    const drop = () => { this.chosen.delete(number); this.onChange(); };
    return h("li", {}, h("input", { type: "checkbox", "aria-label": `Mark ${row.name}`, checked: this.marked.has(number), onchange: toggle }),
      faceImage(medoid, "", 40),
      h("span", { class: "who" }, nameLink(row.name), h("span", { class: "soft" }, ` ${count(row.kept)} kept, ${count(row.removed)} removed`,
        marks.map((name) => ` ${MARKS.find((m) => m.name === name).shape}`))),
      h("button", { type: "button", class: "quiet", "aria-label": `Take ${row.name} off the list`, onclick: drop }, "×"));
  }

  drawBar() {
    const n = this.marked.size, pairs = (n * (n - 1)) / 2;
    const act = (key, words, run, possible) => h("button", { type: "button", disabled: !possible, onclick: run }, `${words} `, h("kbd", {}, key));
    fill(this.bar, h("span", { class: "marked", role: "status" }, this.chosen.size ? `${count(this.chosen.size)} chosen, ${count(n)} marked` : "Nothing is chosen yet."),
      act("G", "Merge", () => this.merge(), n > 1 && n <= MOST_PAIRS), act("N", "Not the same", () => this.separate(), n > 1 && pairs <= MOST_PAIRS),
      act("A", "Ask annotators", () => this.ask(), n > 0), act("Esc", "Clear", () => this.clear(), this.chosen.size));
  }

  async names() {
    return (await this.persons.of([...this.marked])).map((p) => p.row.name);
  }

  /** Every further marked identity is merged with the first one; each is a decision of its own. */
  async merge() {
    const [name, ...others] = await this.names();
    if (others.length > MOST_PAIRS) return;
    for (const other of others) if (!(await decide({ kind: "merge", name, other }))) return;
  }

  /** No two of the marked identities are one person; each pair is a decision of its own. */
  async separate() {
    const names = await this.names();
    if ((names.length * (names.length - 1)) / 2 > MOST_PAIRS) return;
    for (const [i, name] of names.entries()) {
      for (const other of names.slice(i + 1)) if (!(await decide({ kind: "separate", name, other }))) return;
    }
  }

  /** Annotators judge the photos that are kept under the marked identities. */
  async ask() {
    const views = await Promise.all((await this.names()).map((name) => get("identity", { name })));
    const faces = views.flatMap((v) => v.groups.flatMap((g) => g.faces).filter((f) => f.identity === v.row.name).map((f) => f.face_id));
    if (faces.length) await ask(faces);
  }

  clear() {
    this.chosen.clear();
    this.marked.clear();
    this.onChange();
  }

  /** What the keys do on the list. */
  keys() {
    return { g: () => this.merge(), n: () => this.separate(), a: () => this.ask(), Escape: () => this.clear() };
  }
}
