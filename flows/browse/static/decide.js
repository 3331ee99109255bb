// Decisions: sent to the gallery one at a time, and what they changed, with a way back.

import { h, post, count } from "./dom.js";

const listeners = [];
const done = []; // ids of the decisions made on this page, the last one last
const SHOWN_MS = 12000;
let running = null; // the promise of the decision or undo that is on its way, with what the page then shows

export const onChange = (listener) => listeners.push(listener);

/** Send a decision; returns whether it was taken. While another one is on its way nobody can know what it is about. */
export async function decide(body) {
  if (running) {
    showMessage("The decision before is not noted yet: decide again once it is.");
    return false;
  }
  return alone(() => send("decide", body, words[body.kind] || body.kind));
}

/** Do this while nothing else is on its way. */
async function alone(run) {
  while (running) await running;
  running = run();
  try {
    return await running;
  } finally {
    running = null;
  }
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

/** Withdraw a decision, after what is on its way; returns whether that was done. */
export async function undo(id) {
  return alone(() => withdraw(id));
}

/** Withdraw the last decision, which may be on its way still. */
export async function undoLast() {
  return alone(async () => (done.length ? withdraw(done.at(-1)) : showMessage("There is no decision of this page to undo: see History.")));
}

async function withdraw(id) {
  const undone = await send("undo", { answer_id: id }, "Undone"), at = done.indexOf(id);
  if (undone && at >= 0) done.splice(at, 1);
  return undone;
}

const words = { keep: "Kept", remove: "Removed", unusable: "Unusable", move: "Moved", merge: "Merged",
  separate: "Not the same", split: "Split", unsplit: "Not split", finding: "Decided" };

async function send(path, body, title) {
  try {
    const outcome = await post(path, body);
    if (path === "decide") done.push(outcome.answer_id);
    for (const listener of listeners) await Promise.resolve(listener()).catch((error) => showMessage(error.message)); // it is taken all the same
    showMessage([title, ...sentences(outcome)].join(". ") + ".", path === "decide" ? outcome.answer_id : "");
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
