// The state of the review: what waits for people, annotators beside each other, and the noise that is left.

import { count, fill, get, h, number } from "./dom.js";

export async function reviewPage(page) {
  const load = async () => {
    const r = await get("review");
    const votes = r.votes === 1 ? "One answer settles a finding" : `A finding needs ${r.votes} answers`;
    fill(page, h("h1", {}, "Review"),
      h("p", { class: "lead" }, `Findings settled by people: ${count(r.settled)}, disputed: ${count(r.disputed)}, waiting for another answer: ${count(r.waiting)}. ${votes} in this root.`),
      h("h2", {}, "What waits for people"),
      r.queue.length ? table("What waits for people", ["kind", "questions", "photos they are expected to correct", "minutes they take", "answered"],
        r.queue.map((q) => [q.kind, count(q.questions), number(q.corrections), number(q.minutes), count(q.answered)])) : h("p", {}, "Nothing: no answer is expected to correct a photo."),
      h("h2", {}, "Annotators"),
      r.annotators.length ? table("Annotators", ["who", "answers", "shared", "alpha with others", "gold", "accuracy", "seconds an answer"],
        r.annotators.map((a) => [a.name, count(a.answers), count(a.shared), number(a.alpha, 2), count(a.gold), number(a.accuracy, 2), number(a.seconds)])) : h("p", {}, "Nobody answered yet."),
      h("h2", {}, "Noise left"),
      h("p", {}, r.audit ? `Of ${count(r.audit.judged)} kept photos drawn at random, ${count(r.audit.wrong)} were judged wrong: ` +
        `${(100 * r.audit.low).toFixed(2)}% to ${(100 * r.audit.high).toFixed(2)}% (95%).` : "Not known: no kept photos that were drawn at random were judged by people."),
      h("p", { class: "soft" }, "refinery review send gives questions to annotators in Label Studio; refinery review collect takes their answers back."));
  };
  await load();
  return {};
}

function table(name, head, rows) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((t, i) => h("th", { scope: "col", class: i ? "n" : "" }, t)))),
      h("tbody", {}, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((t) => h("td", { class: "n" }, t)))))));
}
