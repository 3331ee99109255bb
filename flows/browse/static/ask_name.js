// The dialog that asks for an identity by part of its name.

import { count, get, h } from "./dom.js";

const SHOWN = 12, SEARCHED = 200; // names shown, and those among which the whole name is looked for

/** Ask for an identity by part of its name; the promise gives its name, or null.
 *  proposed: gives names that are offered first; later: a promise, after which it may give more. */
export function askName(title, proposed, later) {
  return new Promise((resolve) => {
    const list = h("ul", { class: "choices" });
    const input = h("input", { type: "search", id: "ask-name", autocomplete: "off", spellcheck: "false" });
    const text = () => input.value.trim();
    let names = [], answered = null, confirmed = null; // the names on the list, the text that they answer, and that of an Enter which waits
    const finish = (name) => { dialog.close(); dialog.remove(); resolve(name); };
    const choice = ({ name, note }) => h("li", {}, h("button", { type: "button", onclick: () => finish(name) }, name, note && h("small", {}, ` ${note}`)));
    const fill = (query, choices) => {
      [names, answered] = [choices.map((c) => c.name), query];
      list.replaceChildren(...choices.map(choice));
    };
    const offer = async () => {
      const query = text();
      if (!query) return fill(query, proposed());
      const page = await get("identities", { query, order: "name", limit: SEARCHED });
      if (!dialog.isConnected || text() !== query) return;
      fill(query, wholeFirst(page.rows, query).slice(0, SHOWN).map((r) => ({ name: r.name, note: `${count(r.kept)} photos kept` })));
      // nobody has seen this list yet: of several names none is taken
      if (confirmed === query && (names.length === 1 || isWhole(names[0] ?? "", query))) finish(names[0]);
    };
    const confirm = () => {
      if (answered !== text()) confirmed = text();
      else if (names.length) finish(names[0]);
    };
    input.addEventListener("input", () => { confirmed = null; return offer(); });
    input.addEventListener("keydown", (event) => {
      if (event.repeat && (event.key === "Enter" || !input.value)) return event.preventDefault(); // of the key that opened the dialog
      if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); confirm(); }
      if (event.key === "ArrowDown") { event.preventDefault(); list.querySelector("button")?.focus(); }
    });
    const dialog = h("dialog", { "aria-labelledby": "ask-title" }, h("h2", { id: "ask-title" }, title),
      h("label", { for: "ask-name" }, "Part of the name"), input, list,
      h("button", { type: "button", class: "quiet", onclick: () => finish(null) }, "Cancel (Esc)"));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); finish(null); });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
    offer();
    later?.then(() => dialog.isConnected && !text() && offer());
  });
}

const isWhole = (name, query) => name.trim().toLowerCase() === query.toLowerCase();

/** These rows, those first whose whole name was typed: the one in the same case before all. */
function wholeFirst(rows, query) {
  const rank = ({ name }) => (name.trim() === query ? 0 : isWhole(name, query) ? 1 : 2);
  return [...rows].sort((a, b) => rank(a) - rank(b));
}
