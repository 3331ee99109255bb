// The state of the review: what waits for people, annotators beside each other, and the noise that is left; and one
// annotator by kind of question.

import { changed, count, fill, get, h, number, share } from "./dom.js";

export const annotatorAddress = (name) => `#/annotator/${encodeURIComponent(name)}`;

export async function reviewPage(page) {
  const load = async () => {
    const r = await get("review");
    if (!changed(page, r)) return;
    const votes = r.votes === 1 ? "One answer settles a finding" : `A finding needs ${r.votes} answers`;
    fill(page, h("h1", {}, "Review"),
      h("p", { class: "lead" }, `Findings settled by people: ${count(r.settled)}, disputed: ${count(r.disputed)}, waiting for another answer: ${count(r.waiting)}. ${votes} in this root.`),
      h("h2", {}, "What waits for people"),
      r.queue.length ? table("What waits for people", ["questions about", "questions", "photos they are expected to correct", "minutes they take", "answered"],
        r.queue.map((q) => [kind(q.kind, q.words), count(q.questions), number(q.corrections), number(q.minutes), count(q.answered)])) : h("p", {}, "Nothing: no answer is expected to correct a photo."),
      h("h2", {}, "Annotators"),
      r.annotators.length ? table("Annotators", ["who", "answers", "shared", "alpha with others", "gold", "accuracy", "seconds an answer"],
        r.annotators.map((a) => [h("a", { href: annotatorAddress(a.name) }, a.name), count(a.answers), count(a.shared), number(a.alpha, 2), count(a.gold), number(a.accuracy, 2), number(a.seconds)])) : h("p", {}, "Nobody answered yet."),
      r.groups.length > 0 && [h("h2", {}, "Agreement within groups"), table("Agreement within groups", ["group", "answers", "shared", "alpha"],
        r.groups.map((g) => [g.name || "no group", count(g.answers), count(g.shared), number(g.alpha, 2)])),
      h("p", { class: "soft" }, "Alpha is Krippendorff's: 1 is full agreement, 0 is what chance gives. Shared: findings that two annotators or more answered. Accuracy: by which an annotator's votes are weighted, from gold questions and a prior of nine right answers in ten.")],
      h("h2", {}, "Noise left"),
      h("p", {}, r.audit ? `Of ${count(r.audit.judged)} kept photos drawn at random, ${count(r.audit.wrong)} were judged wrong: ` +
        `${(100 * r.audit.low).toFixed(2)}% to ${(100 * r.audit.high).toFixed(2)}% (95%).` : "Not known: no kept photos that were drawn at random were judged by people."),
      h("p", { class: "soft" }, "refinery review send gives questions to annotators in Label Studio; refinery review collect takes their answers back."));
  };
  await load();
  return { refresh: load };
}

export async function annotatorPage(page, name) {
  const load = async () => {
    const a = await get("annotator", { name });
    if (!changed(page, a)) return;
    const [all] = a.records;
    fill(page, h("h1", {}, a.name),
      h("p", { class: "lead" }, `${count(all.answers)} answers, ${count(all.unsure)} of them "cannot tell". `,
        all.gold ? `${count(all.right)} of ${count(all.gold)} gold questions answered as expected. ` : "No gold question answered. ",
        all.compared ? `${share(all.same, all.compared)} of the comparisons with others' answers to the same finding agree.` : "Nobody else answered about the same findings."),
      table(`Answers of ${a.name} by kind`, ["answers about", "answers", "cannot tell", "as others answered", "gold as expected", "seconds an answer"],
        a.records.map((r) => [r.kind ? kind(r.kind, a.words[r.kind]) : "everything", count(r.answers), count(r.unsure), parts(r.same, r.compared), parts(r.right, r.gold), number(r.seconds)])),
      h("p", { class: "soft" }, "Seconds: the median, of answers in Label Studio; the gallery takes no times. As others answered: of all pairs with another annotator's answer to the same finding, those with the same verdict."),
      h("p", {}, h("a", { href: `#/history/${encodeURIComponent(a.who)}` }, `Decisions by ${a.name}, one by one`)));
  };
  await load();
  return { refresh: load };
}

const parts = (n, all) => (all ? `${count(n)} of ${count(all)} (${share(n, all)})` : "–");
const kind = (name, words) => [words || name, words ? h("small", { class: "soft" }, ` ${name}`) : null];

function table(name, head, rows) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((t, i) => h("th", { scope: "col", class: i ? "n" : "" }, t)))),
      h("tbody", {}, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((t) => h("td", { class: "n" }, t)))))));
}
