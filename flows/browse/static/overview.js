// The first page: where all photos went, and the thresholds in words.

import { changed, count, fill, get, h, share } from "./dom.js";
import { photoFlow } from "./photo_flow.js";

export async function overviewPage(page) {
  let flow = null;
  const load = async () => {
    const o = await get("overview");
    if (!changed(page, o)) return;
    flow?.leave();
    flow = photoFlow(o);
    fill(page,
      h("h1", {}, `Refinement of ${o.sources.join(" + ") || "faces"}`),
      h("p", { class: "lead" }, `${count(o.ingested)} photos of ${count(o.identities_claimed)} claimed identities came in; ` +
        `${count(o.kept)} photos of ${count(o.identities_kept)} identities are kept, ${count(o.relabelled)} of them under another identity than claimed.`),
      h("p", {}, h("a", { class: "button", href: "#/identities" }, "Look at the identities")),
      h("h2", {}, "Where every photo went"), flow.element, outcomes(o),
      h("h2", {}, "Thresholds"), h("p", {}, `They were ${o.measured}.`),
      o.warning && h("p", { class: "warning" }, h("strong", {}, "Warning: "), o.warning),
      h("p", { class: "soft" }, o.explanation), thresholds(o.thresholds));
  };
  await load();
  return { refresh: load, leave: () => flow.leave() };
}

function outcomes(o) {
  const rows = o.outcomes.map((r) => {
    const name = r.reason ? `${r.fate}: ${r.reason}` : r.fate;
    const bar = h("div", { class: `bar ${r.fate}`, style: { width: `${Math.max(0.3, (100 * r.photos) / Math.max(1, o.ingested))}%` } });
    return h("tr", {}, h("th", { scope: "row" }, h("span", { class: `fate ${r.fate}` }, name)),
      h("td", { class: "n" }, count(r.photos)), h("td", { class: "n" }, share(r.photos, o.ingested)),
      h("td", { class: "bars", "aria-hidden": "true" }, bar), h("td", { class: "words" }, r.words));
  });
  const head = ["what", "photos", "share", "", "meaning"].map((t) => (t ? h("th", { scope: "col" }, t) : h("td", {})));
  const total = h("tr", {}, h("th", { scope: "row" }, "ingested"), h("td", { class: "n" }, count(o.ingested)), h("td", { class: "n" }, "100%"), h("td", {}), h("td", {}));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Where every photo went" },
    h("table", { class: "outcomes" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows, total)));
}

function thresholds(rows) {
  const head = ["rule", "asked for", "became", "unit", "what it decides"].map((t) => h("th", { scope: "col" }, t));
  const lines = rows.map((r) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, r.rule)), h("td", {}, r.asked),
    h("td", {}, r.became), h("td", {}, r.unit), h("td", { class: "words" }, r.decides)));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Thresholds" },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, lines)));
}
