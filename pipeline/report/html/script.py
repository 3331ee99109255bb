"""The script of the page: it filters and enlarges cards, sorts tables, and searches identities.

It is written into the page. All controls are plain HTML controls, so they can be used with the keyboard; without the
script all cards are shown.
"""

SCRIPT = """
"use strict";
const element = id => document.getElementById(id);
const lower = text => text.toLocaleLowerCase();
const clear = node => { while (node.firstChild) node.firstChild.remove(); };
// the address of a photo or an identity in the gallery of the same data, where the page has the gallery's address
const inGallery = (kind, name) => document.body.dataset.gallery && name
  ? `${document.body.dataset.gallery}/open?${kind}=${encodeURIComponent(name)}` : "";
const number = text => { const n = parseFloat(text.replace(/[,%]/g, "")); return isNaN(n) ? null : n; };

// cards: as many as fit a telephone's screen a few times over, then more at a click
(() => {
  const cards = [...document.querySelectorAll("#cards li")], STEP = 24;
  const name = element("name"), kind = element("kind"), verdict = element("verdict"), more = element("more");
  if (!name) return;
  let limit = STEP;
  const show = () => {
    const wanted = lower(name.value.trim());
    let fitting = 0;
    for (const card of cards) {
      const fits = (!kind.value || card.dataset.kind === kind.value)
        && (!verdict || !verdict.value || card.dataset.verdict === verdict.value)
        && (!wanted || lower(card.dataset.names).includes(wanted));
      card.hidden = !fits || fitting >= limit;
      fitting += fits;
    }
    const shown = Math.min(fitting, limit);
    const all = fitting < cards.length ? `, ${cards.length} in all` : "";
    element("shown").textContent = `${shown} of ${fitting} shown${all}`;
    more.hidden = fitting <= limit;
    more.textContent = `Show ${Math.min(STEP, fitting - limit)} more`;
  };
  const restart = () => { limit = STEP; show(); };
  for (const control of [kind, verdict]) if (control) control.addEventListener("change", restart);
  name.addEventListener("input", restart);
  more.addEventListener("click", () => {
    const next = cards.filter(card => !card.hidden).length;
    limit += STEP;
    show();
    cards.filter(card => !card.hidden)[next]?.querySelector("button")?.focus();
  });
  addEventListener("beforeprint", () => { limit = Infinity; show(); });
  addEventListener("afterprint", restart);
  show();
})();

// a face, enlarged, with the name and the file of its photo, and the photo with all faces boxed where the page has it
(() => {
  const dialog = element("enlarged"), photos = JSON.parse(element("whole-photos")?.textContent ?? "{}");
  document.addEventListener("click", event => {
    const face = event.target.closest("button.face");
    if (!face) return;
    const picture = dialog.querySelector("img"), link = element("file");
    const whole = dialog.querySelector("figure"), photo = photos[face.dataset.face];
    whole.hidden = !photo;
    if (photo) whole.querySelector("img").src = photo; else whole.querySelector("img").removeAttribute("src");
    picture.src = face.querySelector("img").src;
    picture.alt = face.querySelector("img").alt;
    dialog.querySelector("code").textContent = face.dataset.photo || "a photo of a test set";
    link.hidden = !face.dataset.file;
    if (face.dataset.file) link.href = face.dataset.file; else link.removeAttribute("href");
    const there = inGallery("photo", face.dataset.face), open = element("in-gallery");
    open.hidden = !there;
    if (there) open.href = there; else open.removeAttribute("href");
    dialog.showModal();
  });
})();

// tables are sorted by a click on a heading
(() => {
  const value = (row, column) => row.cells[column]?.textContent ?? "";
  for (const table of document.querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const falls = heading.getAttribute("aria-sort") === "descending" || !heading.hasAttribute("aria-sort")
          && !heading.classList.contains("n") ? -1 : 1;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", falls < 0 ? "ascending" : "descending");
        const compare = (a, b) => {
          const [x, y] = [a, b].map(row => value(row, column)), [m, n] = [x, y].map(number);
          return (m !== null && n !== null ? m - n : x.localeCompare(y)) * -falls;
        };
        const body = table.tBodies[0];
        if (body.id === "identity-rows") sortIdentities(column, falls);
        else body.append(...[...body.rows].sort(compare));
      });
    });
  }
})();

// identities: searched by name; the photos of one are listed below
let sortIdentities = () => {};
(() => {
  const search = element("identity");
  if (!search) return;
  const rows = JSON.parse(element("identities").textContent), fates = JSON.parse(element("fates").textContent);
  const photos = element("identity-photos");
  const open = name => {
    clear(photos);
    const title = document.createElement("h3");
    title.textContent = `Photos claimed as ${name}, and those that got this identity`;
    photos.append(title);
    const there = inGallery("identity", name);
    if (there) {
      const line = document.createElement("p"), link = document.createElement("a");
      link.href = there;
      link.target = "_blank";
      link.rel = "noreferrer";
      link.textContent = "in the gallery: all its faces, and decisions";
      line.append(link);
      photos.append(line);
    }
    if (!fates[name]) {
      const words = document.createElement("p");
      words.textContent = "They are not in this page: refinery labels writes a table of all photos.";
      photos.append(words);
      return;
    }
    const scroll = document.createElement("div"), table = document.createElement("table");
    scroll.className = "scroll";
    for (const [heading, ...cells] of [["photo", "outcome", "identity"]]) {
      const line = table.createTHead().insertRow();
      for (const text of [heading, ...cells]) {
        const cell = document.createElement("th");
        cell.scope = "col";
        cell.textContent = text;
        line.append(cell);
      }
    }
    const body = table.createTBody();
    for (const photo of fates[name]) {
      const line = body.insertRow();
      photo.forEach((text, i) => {
        const cell = line.insertCell();
        if (i) { cell.textContent = text; return; }
        const code = document.createElement("code");
        code.textContent = text;
        cell.append(code);
      });
    }
    scroll.append(table);
    photos.append(scroll);
    title.scrollIntoView({block: "nearest"});
  };
  const list = () => {
    const wanted = lower(search.value.trim()), body = element("identity-rows");
    const hits = rows.filter(row => !wanted || lower(row[0]).includes(wanted));
    clear(body);
    for (const row of hits.slice(0, 40)) {
      const line = body.insertRow();
      row.forEach((value, i) => {
        const cell = line.insertCell();
        if (i > 0) { cell.textContent = value; if (i < 6) cell.className = "n"; return; }
        const button = document.createElement("button");
        button.className = "link";
        button.textContent = value;
        button.addEventListener("click", () => open(value));
        cell.append(button);
      });
    }
    const cut = hits.length > 40 ? ", 40 shown" : "";
    element("hits").textContent = hits.length + " of " + rows.length + " identities" + cut;
  };
  sortIdentities = (column, falls) => {
    const compare = column > 0 && column < 6 ? (x, y) => x - y : (x, y) => x.localeCompare(y);
    rows.sort((a, b) => compare(a[column], b[column]) * -falls);
    list();
  };
  search.addEventListener("input", list);
  list();
})();
"""
