"""The style sheet of the page, and the script that filters its cards and searches its identities.

Both are written into the page. All controls are plain HTML controls, so they can be used with the keyboard.
"""

STYLE = """
:root { --ink:#1b1b1b; --soft:#565656; --line:#d5d5d5; --blue:#005a8e; }
* { box-sizing:border-box; }
body { margin:0 auto; max-width:1180px; padding:0 16px 60px; font:16px/1.5 system-ui,sans-serif; color:var(--ink);
  background:#fff; overflow-wrap:anywhere; }
h1 { margin:.8em 0 .2em; } h2 { margin:2em 0 .4em; border-top:1px solid var(--line); padding-top:.8em; }
a { color:var(--blue); } .soft, figcaption { color:var(--soft); font-size:.9em; }
.skip { position:absolute; left:-999px; } .skip:focus { left:8px; top:8px; background:#fff; padding:8px; z-index:2; }
nav ul { display:flex; flex-wrap:wrap; gap:4px 18px; padding:0; list-style:none; }
:focus-visible { outline:3px solid var(--blue); outline-offset:2px; }
.charts { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr)); gap:18px; }
figure { margin:0; min-width:0; } figure.wide { grid-column:1/-1; }
figure svg { width:100%; min-width:540px; height:auto; display:block; }
.scroll { overflow-x:auto; } table { border-collapse:collapse; font-size:.92em; }
div.scroll { background:linear-gradient(90deg,#fff 24px,#fff0) 0 0/48px 100% no-repeat local,
  linear-gradient(270deg,#fff 24px,#fff0) 100% 0/48px 100% no-repeat local,
  linear-gradient(90deg,#0003,#0000) 0 0/10px 100% no-repeat scroll,
  linear-gradient(270deg,#0003,#0000) 100% 0/10px 100% no-repeat scroll; }
td.words, #identity-rows td:last-child { min-width:11em; }
th, td { text-align:left; padding:3px 12px 3px 0; border-bottom:1px solid var(--line); vertical-align:top;
  overflow-wrap:break-word; }
td.n, th.n { text-align:right; font-variant-numeric:tabular-nums; }
.controls { display:flex; flex-wrap:wrap; gap:10px 16px; align-items:end; margin:.6em 0; padding:8px 0; }
.controls label { display:flex; flex-direction:column; max-width:100%; font-size:.9em; color:var(--soft); }
input, select { font:inherit; padding:6px 8px; border:1px solid #777; border-radius:4px; max-width:100%; }
.cards { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,350px),1fr)); gap:12px; padding:0;
  list-style:none; }
.cards li { border:1px solid var(--line); border-radius:6px; padding:10px; min-width:0; content-visibility:auto;
  contain-intrinsic-size:350px 230px; }
.cards li[hidden] { display:none; }
.cards h3 { font-size:1em; margin:0 0 .3em; } .cards p { margin:.3em 0 0; font-size:.88em; }
.sides { display:flex; flex-wrap:wrap; gap:10px; } .sides div { min-width:0; }
.sides .faces { display:flex; flex-wrap:wrap; gap:3px; }
.sides img, .none { width:64px; height:64px; border-radius:3px; }
.none { display:inline-flex; background:#e8e8e8; color:var(--soft); font-size:.7em; align-items:center;
  justify-content:center; text-align:center; }
.verdict { font-weight:400; } .verdict::before { content:"\\25CF\\00a0"; } .yes::before { color:#d55e00; }
.no::before { content:"\\25CB\\00a0"; color:#0072b2; } .unsure::before { content:"\\25D0\\00a0"; color:#7f6000; }
"""

SCRIPT = """
"use strict";
(() => {
  const element = id => document.getElementById(id);
  const clear = node => { while (node.firstChild) node.firstChild.remove(); };
  const cards = [...document.querySelectorAll("#cards li")];
  const name = element("name"), kind = element("kind"), verdict = element("verdict");
  const lower = text => text.toLocaleLowerCase();
  const filter = () => {
    const wanted = lower(name.value.trim());
    let shown = 0;
    for (const card of cards) {
      const fits = (!kind.value || card.dataset.kind === kind.value)
        && (!verdict || !verdict.value || card.dataset.verdict === verdict.value)
        && (!wanted || lower(card.dataset.names).includes(wanted));
      card.hidden = !fits;
      shown += fits;
    }
    element("shown").textContent = shown + " of " + cards.length + " shown";
  };
  for (const control of [kind, verdict]) if (control) control.addEventListener("change", filter);
  if (name) { name.addEventListener("input", filter); filter(); }
  const search = element("identity");
  if (!search) return;
  const rows = JSON.parse(element("identities").textContent);
  const list = () => {
    const wanted = lower(search.value.trim()), body = element("identity-rows");
    const hits = rows.filter(row => !wanted || lower(row[0]).includes(wanted));
    clear(body);
    for (const row of hits.slice(0, 40)) {
      const line = body.insertRow();
      row.forEach((value, i) => {
        const cell = line.insertCell();
        cell.textContent = value;
        if (i > 0 && i < 6) cell.className = "n";
      });
    }
    const cut = hits.length > 40 ? ", 40 shown" : "";
    element("hits").textContent = hits.length + " of " + rows.length + " identities" + cut;
  };
  search.addEventListener("input", list);
  list();
})();
"""
