// Decisions: sent to the gallery, and what they changed, with a way back. Dialogs for those that need a name.

import { get, h, post, count } from "./dom.js";

const listeners = [];
const done = []; // ids of the decisions made on this page, the last one last
const SHOWN_MS = 12000;

export const onChange = (listener) => listeners.push(listener);

/** Send a decision; returns whether it was taken. */
export async function decide(body) {
  return send("decide", body, words[body.kind] || body.kind);
}

/** Let annotators judge photos in the next round; returns whether that was noted. */
export async function ask(faces) {
  try {
    const { new: n } = await post("ask", { faces });
    showMessage(n ? `${count(n)} ${n === 1 ? "photo is" : "photos are"} asked about first by the next "refinery review send".` : "The next round asks about these already.");
    return true;
  } catch (error) {
    showMessage(error.message);
    return false;
  }
}

/** Withdraw a decision; returns whether that was done. */
export async function undo(id) {
  const at = done.indexOf(id);
  if (at >= 0) done.splice(at, 1); // at once, so that the next Z is about the decision before
  const undone = await send("undo", { answer_id: id }, "Undone");
  if (!undone && at >= 0) done.splice(at, 0, id);
  return undone;
}

export function undoLast() {
  const id = done.at(-1);
  id ? undo(id) : showMessage("There is no decision of this page to undo: see History.");
}

const words = { keep: "Kept", remove: "Removed", unusable: "Unusable", move: "Moved", merge: "Merged",
  separate: "Not the same", split: "Split", unsplit: "Not split", finding: "Decided" };

async function send(path, body, title) {
  try {
    const outcome = await post(path, body);
    if (path === "decide") done.push(outcome.answer_id);
    showMessage([title, ...sentences(outcome)].join(". ") + ".", path === "decide" ? outcome.answer_id : "");
    for (const listener of listeners) await listener();
    return true;
  } catch (error) {
    showMessage(error.message);
    return false;
  }
}

function sentences(o) {
  const lines = o.changes.map((c) => `${count(c.photos)} ${c.photos === 1 ? "photo" : "photos"}: ${c.before} → ${c.after}`);
  if (!lines.length) lines.push("No photo's fate changes");
  if (o.waiting) lines.push(`It waits for another answer: findings need ${o.votes} in this root`);
  if (o.disputed) lines.push("People disagree: one more answer is wanted");
  if (o.outvoted) lines.push("The machine is surer than one answer: decide again to overrule it");
  return lines;
}

/** Show a message for a while; id: of a decision that a button undoes. */
export function showMessage(text, id = "") {
  const close = () => toast.remove();
  const toast = h("div", { class: "toast" }, h("p", {}, text),
    id && h("button", { type: "button", onclick: () => { close(); undo(id); } }, "Undo (Z)"),
    h("button", { type: "button", class: "quiet", "aria-label": "Close this message", onclick: close }, "×"));
  const box = document.getElementById("toasts");
  box.append(toast);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(close, SHOWN_MS);
}

/** Ask for an identity by part of its name; the promise gives its name, or null.
 *  proposed: gives names that are offered first; later: a promise, after which it may give more. */
export function askName(title, proposed, later) {
  return new Promise((resolve) => {
    const list = h("ul", { class: "choices" });
    const input = h("input", { type: "search", id: "ask-name", autocomplete: "off", spellcheck: "false" });
    const finish = (name) => { dialog.close(); dialog.remove(); resolve(name); };
    const choice = (name, note) => h("li", {}, h("button", { type: "button", onclick: () => finish(name) }, name, note && h("small", {}, ` ${note}`)));
    const fill = (rows) => list.replaceChildren(...rows);
    const offer = async () => {
      const query = input.value.trim();
      if (!query) return fill(proposed().map((p) => choice(p.name, p.note)));
      const page = await get("identities", { query, order: "name", limit: 12 });
      if (input.value.trim() === query) fill(page.rows.map((r) => choice(r.name, `${count(r.kept)} photos kept`)));
    };
    input.addEventListener("input", offer);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); list.querySelector("button")?.click(); }
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
    later?.then(() => dialog.isConnected && offer());
  });
}
