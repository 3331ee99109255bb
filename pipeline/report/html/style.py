"""The style sheet of the page, which is written into it: for light and dark screens, for telephones and for paper."""

STYLE = """
:root { color-scheme:light dark; --ink:#1b1b1b; --soft:#565656; --line:#d5d5d5; --blue:#005a8e; --page:#fff;
  --page0:#fff0; --none:#e8e8e8; --shade:#0003; }
@media (prefers-color-scheme:dark) { :root { --ink:#e9e9e9; --soft:#b0b0b0; --line:#444; --blue:#7cc4f5;
  --page:#16181a; --page0:#16181a00; --none:#2c2f32; --shade:#fff3; }
  figure svg { background:#fff; border-radius:4px; } }
* { box-sizing:border-box; }
body { margin:0 auto; max-width:1180px; padding:0 16px 60px; font:16px/1.5 system-ui,sans-serif; color:var(--ink);
  background:var(--page); overflow-wrap:anywhere; }
h1 { margin:.8em 0 .2em; } h2 { margin:2em 0 .4em; border-top:1px solid var(--line); padding-top:.8em; }
a { color:var(--blue); } .soft, figcaption { color:var(--soft); font-size:.9em; }
.skip { position:absolute; left:-999px; }
.skip:focus { left:8px; top:8px; background:var(--page); padding:8px; z-index:2; }
nav ul { display:flex; flex-wrap:wrap; gap:4px 18px; padding:0; list-style:none; }
:focus-visible { outline:3px solid var(--blue); outline-offset:2px; }
.charts { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,520px),1fr)); gap:18px; }
figure { margin:0; min-width:0; } figure.wide { grid-column:1/-1; }
figure svg { width:100%; min-width:540px; height:auto; display:block; }
.scroll { overflow-x:auto; } table { border-collapse:collapse; font-size:.92em; }
div.scroll { background:linear-gradient(90deg,var(--page) 24px,var(--page0)) 0 0/48px 100% no-repeat local,
  linear-gradient(270deg,var(--page) 24px,var(--page0)) 100% 0/48px 100% no-repeat local,
  linear-gradient(90deg,var(--shade),#0000) 0 0/10px 100% no-repeat scroll,
  linear-gradient(270deg,var(--shade),#0000) 100% 0/10px 100% no-repeat scroll; }
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
.none { display:inline-flex; background:var(--none); color:var(--soft); font-size:.7em; align-items:center;
  justify-content:center; text-align:center; }
.verdict { font-weight:400; } .verdict::before { content:"\\25CF\\00a0"; } .yes::before { color:#d55e00; }
.no::before { content:"\\25CB\\00a0"; color:#0072b2; } .unsure::before { content:"\\25D0\\00a0"; color:#7f6000; }
.cards li > h3 + p { margin:0; }
button { font:inherit; color:inherit; }
button.face { padding:0; border:0; background:none; cursor:zoom-in; line-height:0; }
button.sort, button.link { padding:0; border:0; background:none; text-align:inherit; cursor:pointer;
  font-weight:inherit; }
button.link { min-width:8em; color:var(--blue); text-decoration:underline; overflow-wrap:anywhere; }
th[aria-sort=ascending] .sort::after { content:" \\25B2"; } th[aria-sort=descending] .sort::after { content:" \\25BC"; }
#more { margin:12px 0; padding:8px 16px; } [hidden] { display:none !important; }
code { user-select:all; font-size:.92em; overflow-wrap:anywhere; }
dialog { max-width:min(92vw,420px); border:1px solid var(--line); border-radius:8px; color:var(--ink);
  background:var(--page); } dialog img { width:100%; max-width:336px; }
  dialog figure { margin:0; } dialog::backdrop { background:#000a; }
@media print { :root { color-scheme:light; --ink:#000; --soft:#333; --page:#fff; } nav, .controls, #more, .skip,
  dialog { display:none; } body { max-width:none; } .cards { display:block; }
  .cards li, figure, tr { break-inside:avoid; }
  .cards li { margin-bottom:8px; content-visibility:visible; } a { color:inherit; } }
"""
