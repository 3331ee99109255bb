// The router: which page the part of the address after # shows. Each page is a function that fills an element.

import { fill, get, h } from "./dom.js";
import { commandKey, press } from "./keys.js";
import { onChange, showMessage, undoLast } from "./decide.js";
import { keepKey } from "./change_key.js";
import { overviewPage } from "./overview.js";
import { identitiesPage } from "./identities.js";
import { identityPage } from "./identity.js";
import { photoPage } from "./photo.js";
import { mapPage } from "./map.js";
import { findPage } from "./find.js";
import { annotatorPage, reviewPage } from "./review.js";
import { historyPage } from "./history.js";

const PAGES = { missing: missingPage, "": overviewPage, identities: identitiesPage, identity: identityPage, photo: photoPage, map: mapPage, history: historyPage, find: findPage, review: reviewPage, annotator: annotatorPage };
const TITLES = { missing: "No such page", "": "Overview", identities: "Identities", identity: "Identity", photo: "Photo", map: "Map", history: "History", find: "Find", review: "Review", annotator: "Annotator" };
const PART_OF = { annotator: "review" }; // pages that the links at the top do not name
const STATE_MS = 1500, WAIT_MS = 700;
const main = document.getElementById("main");
let version = -1;
let shown = null; // the page on the screen: { leave, refresh }

function place() {
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  let word = rest.join("/");
  try {
    word = decodeURIComponent(word);
  } catch { /* an address that somebody typed: it names nothing, and the page says so */ }
  return { name: Object.hasOwn(PAGES, name) ? name : "missing", word };
}

function missingPage(page) {
  fill(page, h("h1", {}, "There is no such page"), h("p", {}, `The address ends with ${location.hash}, which names no page: choose one above.`));
}

async function show({ focus = true } = {}) {
  const { name, word } = place();
  shown?.leave?.();
  document.title = `${word && (name === "identity" || name === "annotator") ? word : TITLES[name]} · refinery browse`;
  for (const link of document.querySelectorAll("nav a")) {
    const current = link.dataset.page === (PART_OF[name] ?? (name || "overview"));
    current ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  const page = h("div", { class: `page ${name || "overview"}` }, h("p", { class: "soft" }, "Loading …"));
  main.replaceChildren(page);
  const mine = (shown = { page });
  await make(mine, name, word);
  if (focus && shown === mine) main.focus({ preventScroll: true });
}

async function make(mine, name, word) {
  try {
    const made = await PAGES[name](mine.page, word);
    if (shown !== mine) return made?.leave?.();
    Object.assign(mine, made);
  } catch (error) {
    if (shown !== mine) return;
    if (error.status === 202) {
      wait(mine.page, error);
      setTimeout(() => shown === mine && make(mine, name, word), WAIT_MS);
      return;
    }
    mine.page.replaceChildren(h("p", { class: "error", role: "alert" }, error.message));
    if (error.status === undefined) throw error;
  }
}

/** Say for what a page waits, and how much of it is done where that is known. */
function wait(page, { message, share }) {
  let bar = page.querySelector(":scope > .waiting progress");
  if (bar?.parentNode.firstChild.textContent !== message) {
    bar = h("progress", { "aria-label": "done", max: 1 });
    page.replaceChildren(h("p", { class: "soft waiting", role: "status" }, message, bar));
  }
  share === null ? bar.removeAttribute("value") : (bar.value = share);
}

async function follow() {
  const bar = document.getElementById("state");
  try {
    const state = await get("state");
    const words = [`${state.root} · decisions by ${state.who}`];
    if (!state.ready) words.push("reading the photos …");
    else if (state.waiting) words.push("decisions are kept; the labels wait: a refinement is running");
    else if (state.pending) words.push("labels are made again …");
    if (state.failure) words.push(state.failure);
    const text = words.join(" · ");
    if (bar.textContent !== text) bar.textContent = text;
    if (version >= 0 && state.version !== version) await shown?.refresh?.();
    version = state.version;
  } catch (error) {
    bar.textContent = error.message;
  }
  setTimeout(follow, STATE_MS);
}

document.addEventListener("keydown", (event) => {
  const search = shown?.search ?? (() => {
    location.hash = "#/identities";
    setTimeout(() => document.getElementById("query")?.focus(), 50);
  });
  press(event, { z: undoLast, "/": search }[commandKey(event, "input:not([type=checkbox]), textarea, select, dialog")]);
});
onChange(() => shown?.refresh?.());
window.addEventListener("hashchange", () => show());
window.addEventListener("unhandledrejection", (event) => showMessage(String(event.reason?.message || event.reason)));
keepKey();
show({ focus: false });
follow();
