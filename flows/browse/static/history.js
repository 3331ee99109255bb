// Every decision in the ledger, by whom and when, the last one first; those of people can be withdrawn.

import { changed, count, faceImage, fill, get, h, nameLink, photoAddress } from "./dom.js";
import { undo } from "./decide.js";
import { newest } from "./newest.js";

const PAGE = 50;

/** who: of this person or list alone; "": of everybody. */
export async function historyPage(page, who) {
  let offset = 0;
  const read = newest(() => get("history", { offset, limit: PAGE, who }));
  const load = async () => {
    const past = await read();
    if (!changed(page, past)) return;
    const turn = (to) => () => { offset = to; load(); };
    fill(page, h("h1", {}, "History"),
      h("p", { class: "soft" }, who ? [`${count(past.total)} decisions by ${who} (`, h("a", { href: "#/history" }, "all"), "). "] : `${count(past.total)} decisions of people and lists. `, "An undone decision stays in the ledger, as withdrawn."),
      past.events.length ? h("ol", { class: "events", start: offset + 1 }, past.events.map((e) => eventItem(e, () => undo(e.answer_id)))) : h("p", {}, "Nobody decided anything yet."),
      h("p", { class: "pair" }, offset > 0 && h("button", { type: "button", onclick: turn(Math.max(0, offset - PAGE)) }, "Later ones"),
        offset + PAGE < past.total && h("button", { type: "button", onclick: turn(offset + PAGE) }, "Earlier ones")));
  };
  await load();
  return { refresh: load };
}

/** A decision as an item of a list. */
export function eventItem(event, withdraw) {
  const time = event.at ? h("time", { datetime: event.at }, new Date(event.at).toLocaleString("en-GB")) : "";
  return h("li", { class: event.withdrawn ? "withdrawn" : "" },
    h("div", { class: "strip" }, event.faces.map((face) => h("a", { href: photoAddress(face), "aria-label": "a photo that it is about" }, faceImage(face, "", 48)))),
    h("div", {}, h("p", {}, h("strong", {}, event.who), ` ${event.purpose === "list" ? "(a list) " : ""}`, time, event.withdrawn ? h("span", { class: "tag" }, "withdrawn") : null),
      event.lines.map((line) => h("p", {}, line)),
      event.names.length ? h("p", { class: "soft" }, event.names.map((name, i) => [i ? ", " : "", nameLink(name)])) : null),
    event.can_be_undone && h("button", { type: "button", onclick: withdraw }, "Undo"));
}
