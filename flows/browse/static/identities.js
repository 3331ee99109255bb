// The list of all identities. Only the rows on the screen exist, so 100,000 of them scroll as ten do.

import { count, get, h, identityAddress, number } from "./dom.js";

const ROW_PX = 48, PAGE_ROWS = 200, SPARE_ROWS = 10, RETRY_MS = 1500;
const kept = { order: "removed", query: "", top: 0 }; // what the list showed when it was left

const FIGURES = {
  removed: (r) => `${count(r.removed)} removed`,
  suspicious: (r) => `${number(r.expected_wrong, 2)} expected wrong`,
  size: (r) => `${count(r.claimed)} claimed`,
  cohesion: (r) => `cohesion ${number(r.cohesion)}`,
  two_persons: (r) => (r.second_person === null ? "one person" : `second person ${Math.round(100 * r.second_person)}% as large`),
  twin: (r) => (r.twin === null ? "no other name" : `score ${number(r.twin)} with another name`),
  name: (r) => `${count(r.claimed)} claimed`,
};

export async function identitiesPage(page) {
  const orders = await get("orders");
  const query = h("input", { id: "query", type: "search", autocomplete: "off", spellcheck: "false" });
  query.value = kept.query;
  const order = h("select", { id: "order" }, Object.entries(orders).map(([value, words]) => h("option", { value, selected: value === kept.order }, words)));
  const total = h("output", { for: "query order", class: "soft" });
  const filler = h("div", { class: "filler" });
  const list = h("div", { class: "rows", role: "list", "aria-label": "Identities" });
  const view = h("div", { class: "list", tabindex: "0", role: "region", "aria-label": "List of identities" }, filler, list);
  page.replaceChildren(h("h1", {}, "Identities"),
    h("form", { class: "controls", role: "search", onsubmit: (event) => { event.preventDefault(); list.querySelector("a")?.focus(); } },
      h("label", {}, "Name contains (/)", query), h("label", {}, "Order", order), total), view);

  let rows = new Map(), number = 0, run = 0, isNew = true; // isNew: whether the rows are those of the last search
  let said = "", isReady = false; // why the last request failed; whether the page is on the screen
  const pages = new Map();
  async function load(at) {
    if (!pages.has(at)) pages.set(at, get("identities", { order: order.value, query: query.value.trim(), offset: at * PAGE_ROWS, limit: PAGE_ROWS }));
    const mine = run, asked = pages.get(at), answer = await asked.catch((error) => failed(error, at, asked));
    if (mine !== run || !answer) return;
    if (!isNew) rows = new Map(); // the former ones stay until then, and with them the focus
    isNew = true;
    answer.rows.forEach((row, i) => rows.set(answer.offset + i, row));
    if (answer.total !== number || at === 0 || said) {
      said = "";
      number = answer.total;
      filler.style.height = `${number * ROW_PX}px`;
      total.textContent = `${count(number)} ${number === 1 ? "identity" : "identities"}`;
    }
    draw();
  }
  /** Say why a part of the list did not come, and ask for it again unless it was refused; a page's first one is its error. */
  function failed(error, at, asked) {
    if (!isReady) throw error;
    if (pages.get(at) !== asked) return;
    pages.delete(at);
    total.textContent = said = error.message;
    if (error.status >= 400 && error.status < 500) return;
    const mine = run;
    setTimeout(() => view.isConnected && mine === run && load(at), RETRY_MS);
  }
  function draw() {
    const first = Math.max(0, Math.floor(view.scrollTop / ROW_PX) - SPARE_ROWS);
    const last = Math.min(number, first + Math.ceil(view.clientHeight / ROW_PX) + 2 * SPARE_ROWS);
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    list.style.transform = `translateY(${first * ROW_PX}px)`;
    const shown = [];
    for (let i = first; i < last; i++) {
      shown.push(rows.has(i) ? line(rows.get(i), i) : h("div", { class: "row", role: "listitem" }, h("span", { class: "soft" }, "…")));
      if (!rows.has(i) && !pages.has(Math.floor(i / PAGE_ROWS))) load(Math.floor(i / PAGE_ROWS));
    }
    list.replaceChildren(...shown);
    if (focused !== null) list.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
  }
  function line(r, at) {
    const parts = [["kept", r.claimed - r.removed - r.moved_away], ["relabelled", r.moved_away], ["removed", r.removed]];
    const bar = h("span", { class: "parts", "aria-hidden": "true" }, parts.filter(([, n]) => n > 0).map(([fate, n]) =>
      h("span", { class: `bar ${fate}`, style: { flexGrow: String(n) } })));
    return h("div", { class: "row", role: "listitem", "aria-setsize": number, "aria-posinset": at + 1 },
      h("a", { href: identityAddress(r.name), "data-at": at }, r.name), bar,
      h("span", { class: "soft" }, `${count(r.claimed)} claimed, ${count(r.kept)} kept`),
      h("span", { class: "figure" }, FIGURES[order.value](r)));
  }
  async function again({ top = 0 } = {}) {
    run += 1;
    isNew = false;
    pages.clear();
    Object.assign(kept, { order: order.value, query: query.value });
    await load(0);
    view.scrollTop = top;
    draw();
  }
  view.addEventListener("scroll", () => { kept.top = view.scrollTop; draw(); }, { passive: true });
  view.addEventListener("keydown", (event) => {
    const at = Number(document.activeElement?.dataset?.at ?? -1);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (next === undefined || next < 0 || next >= number) return;
    event.preventDefault();
    const y = next * ROW_PX;
    if (y < view.scrollTop) view.scrollTop = y;
    if (y + ROW_PX > view.scrollTop + view.clientHeight) view.scrollTop = y + ROW_PX - view.clientHeight;
    draw();
    list.querySelector(`[data-at="${next}"]`)?.focus({ preventScroll: true });
  });
  let typing = 0;
  query.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(again, 120); });
  order.addEventListener("change", () => again());
  const resized = new ResizeObserver(draw);
  resized.observe(view);
  await again({ top: kept.top });
  isReady = true;
  return { refresh: () => again({ top: view.scrollTop }), leave: () => resized.disconnect() };
}
