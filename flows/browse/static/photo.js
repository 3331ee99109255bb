// One photo: the original with every face, its scores beside the thresholds, its findings and decisions in order.

import { changed, faceImage, fill, get, h, identityAddress, nameLink, number, photoAddress, svg } from "./dom.js";
import { askName } from "./ask_name.js";
import { ask, decide, undo } from "./decide.js";
import { eventItem } from "./history.js";
import { commandKey, press } from "./keys.js";
import { newest } from "./newest.js";

const VERDICTS = { yes: "right", no: "wrong", unsure: "waits for people" };
const NOT_ASKED = new Set(["erased", "unreadable", "no_face", "hub"]);
const TWO_PHOTOS = new Set(["split", "duplicate", "conflict"]); // kinds of findings whose both sides are photos
const TWO_PERSONS = new Set(["mixed", "merge", "overlap", "hub"]); // of all others the subject alone is a photo

export async function photoPage(page, face) {
  let view, near = null, whole = null;
  const read = newest(() => get("photo", { face }));
  const load = async () => {
    view = await read();
    if (changed(page, view)) draw();
  };
  const draw = () => fill(page,
    h("h1", {}, view.key), h("p", { class: "soft" }, `${view.source} · claimed as `, view.claimed ? nameLink(view.claimed) : "nobody",
      view.identity && view.identity !== view.claimed ? [" · kept under ", nameLink(view.identity)] : null),
    h("div", { class: "beside photo" }, h("div", {}, pictures(), scores()), h("div", {}, fate(), buttons(), findings(), events())));

  const pictures = () => {
    whole ??= picture(face);
    return h("figure", {}, whole, h("figcaption", {}, faceImage(face, "the aligned face", 112), h("span", { class: "soft" }, "The aligned face, as it was compared. In the photo, a double frame is around that face.")));
  };
  const fate = () => h("section", {}, h("h2", {}, view.words.fate),
    h("p", {}, h("strong", {}, "Why: "), `${view.words.why}.`), h("p", {}, h("strong", {}, "What would change it: "), `${view.words.change}.`));
  const act = (kind, more = {}) => decide({ kind, faces: [face], ...more });
  const move = async () => {
    const proposed = () => (near ?? []).map((p) => ({ name: p.name, note: `score ${number(p.score)}` }));
    const name = await askName("Move this photo to", proposed);
    if (name) act("move", { name });
  };
  const buttons = () => h("div", { class: "actions", role: "toolbar", "aria-label": "Decide about this photo" },
    [["K", "Keep", () => act("keep")], ["R", "Remove", () => act("remove")], ["U", "Unusable", () => act("unusable")], ["M", "Move to …", move], ["A", "Ask annotators", () => ask([face])]]
      .map(([key, words, run]) => h("button", { type: "button", onclick: run }, `${words} `, h("kbd", {}, key))));
  const findings = () => h("section", {}, h("h2", {}, "Findings, in the order in which they act"),
    view.findings.length ? h("ol", { class: "findings" }, view.findings.map(finding)) : h("p", { class: "soft" }, "None."));
  const finding = (f) => h("li", { class: f.decided ? "decided" : "" },
    h("p", {}, h("strong", {}, f.kind), f.about === "person" ? " (about its person) " : " ", sides(f),
      h("span", { class: `verdict ${f.verdict}` }, ` ${VERDICTS[f.verdict] ?? f.verdict}, by ${f.who === "policy" ? "the thresholds" : `the scores and the answers of ${f.who}`}`),
      f.decided && h("span", { class: "tag" }, "decides")),
    h("p", { class: "soft" }, [f.score !== null && `score ${number(f.score)}`, f.probability !== null && `probability ${number(f.probability, 2)}`, f.evidence].filter(Boolean).join(" · ")),
    !NOT_ASKED.has(f.kind) && h("p", { class: "pair" }, ["yes", "no"].map((verdict) => h("button", { type: "button", disabled: f.verdict === verdict && f.who !== "policy",
      onclick: () => decide({ kind: "finding", finding: f.finding_id, verdict }) }, verdict === "yes" ? "It is right" : "It is wrong"))));
  const photoSide = (id) => id && id !== face && [" ", h("a", { href: photoAddress(id) }, "the other photo")];
  const nameSide = (name) => name && [" ", nameLink(name)];
  const sides = (f) => [TWO_PERSONS.has(f.kind) ? nameSide(f.subject) : photoSide(f.subject),
    TWO_PHOTOS.has(f.kind) ? photoSide(f.object) : f.kind === "overlap" ? ` ${f.object} of a test set` : nameSide(f.object)];
  const events = () => h("section", {}, h("h2", {}, "Decisions"), view.events.length ? h("ol", { class: "events" }, view.events.map((e) => eventItem(e, () => undo(e.answer_id)))) : h("p", { class: "soft" }, "Nobody decided about this photo."));
  const scores = () => {
    const box = h("section", {}, h("h2", {}, "Scores and thresholds"));
    const draw = () => fill(box, box.firstChild, ...scoreChart(view, near));
    draw();
    if (near === null) get("photo/near", { face }).then((people) => { near = people; if (box.isConnected) draw(); }, () => { near = []; });
    return box;
  };
  await load();
  const onKey = (event) => {
    const keys = { k: () => act("keep"), r: () => act("remove"), u: () => act("unusable"), m: move, a: () => ask([face]), Escape: () => { if (view.claimed) location.hash = identityAddress(view.claimed); } };
    press(event, keys[commandKey(event)]);
  };
  document.addEventListener("keydown", onKey);
  return { refresh: load, leave: () => document.removeEventListener("keydown", onKey) };
}

function picture(face) {
  const image = h("img", { src: `/photo/${encodeURIComponent(face)}.jpg`, alt: "the whole photo" });
  const frames = h("div", { class: "frames", "aria-hidden": "true" });
  image.addEventListener("error", () => image.replaceWith(h("p", { class: "soft" }, "The whole photo cannot be shown: its file is not here, or was aligned before.")));
  image.addEventListener("load", async () => {
    const boxes = await get("photo/boxes", { face }).catch(() => ({ faces: [] }));
    frames.replaceChildren(...boxes.faces.map(([box, chosen]) => h("span", { class: chosen ? "frame chosen" : "frame",
      style: { left: `${100 * box[0]}%`, top: `${100 * box[1]}%`, width: `${100 * (box[2] - box[0])}%`, height: `${100 * (box[3] - box[1])}%` } })));
  });
  return h("div", { class: "whole" }, image, frames);
}

/** A line of scores with the thresholds drawn in, and the same as a table. */
function scoreChart(view, near) {
  const points = [{ name: `its identity ${view.claimed ?? ""}`, link: view.claimed, score: view.score, own: true },
    ...(near ?? []).filter((p) => p.identity !== view.claimed).map((p) => ({ name: p.name, link: p.name, score: p.score }))].filter((p) => p.score !== null);
  const values = [...points.map((p) => p.score), ...view.thresholds.map((t) => t.value), view.genuine_mean, 0];
  const low = Math.min(...values) - 0.5, width = 600, label = 130; // pixels that the name of a threshold takes
  // every name stands to the right of its line, above those of higher thresholds, so the last one needs room there
  const last = Math.max(low, ...view.thresholds.map((t) => t.value));
  const high = Math.max(...values.map((v) => v + 0.5), low + ((last - low) * (width - 20)) / (width - 20 - label));
  const x = (v) => 10 + ((v - low) / (high - low)) * (width - 20);
  const marks = view.thresholds.map((t, i) => svg("g", {}, svg("line", { x1: x(t.value), x2: x(t.value), y1: 20 + 14 * i, y2: 104, class: "threshold" }),
    svg("text", { x: x(t.value) + 4, y: 26 + 14 * i }, `${t.name} ${number(t.value)}`)));
  const dots = points.map((p) => p.own ? svg("path", { d: `M${x(p.score)} 88 l8 10 l-8 10 l-8 -10 z`, class: "own" }) : svg("circle", { cx: x(p.score), cy: 98, r: 5, class: "other" }));
  const drawing = svg("svg", { viewBox: `0 0 ${width} 130`, role: "img", class: "scores", "aria-label": "Scores on a line, with the thresholds; the table below has the numbers" },
    svg("line", { x1: 10, x2: width - 10, y1: 98, y2: 98, class: "axis" }), marks, dots,
    svg("text", { x: 10, y: 126 }, number(low)), svg("text", { x: width - 10, y: 126, "text-anchor": "end" }, number(high)),
    svg("text", { x: width / 2, y: 126, "text-anchor": "middle" }, "◆ its identity   ● other persons"));
  const rows = points.map((p) => h("tr", {}, h("th", { scope: "row" }, p.own ? "◆ " : "● ", p.link ? nameLink(p.link) : p.name), h("td", { class: "n" }, number(p.score, 2))));
  const limits = view.thresholds.map((t) => h("li", {}, h("strong", {}, `${t.name} ${number(t.value, 2)}`), `: ${t.decides}`));
  return [drawing, h("table", { class: "with" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "score with"), h("th", { scope: "col", class: "n" }, "score"))), h("tbody", {}, rows)),
    near === null ? h("p", { class: "soft" }, "Comparing with all persons …") : null, h("ul", { class: "soft limits" }, limits)].filter(Boolean);
}
