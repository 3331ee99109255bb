// The key for changes, with which the page was opened. Pages of other ports cannot read it.

const KEY = "refinery-key"; // in the storage of this origin, to which the port belongs; a cookie goes to all ports
let given = ""; // for this tab alone, where the browser stores nothing

/** Keep the key for changes with which the address was opened; it stands after the #, which no server gets. */
export function keepKey() {
  given = /^#key=(.+)$/.exec(location.hash)?.[1] ?? "";
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  try {
    localStorage.setItem(KEY, given);
  } catch { /* storage is switched off */ }
}

/** The header without which no change is accepted. */
export function keyHeader() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch { /* storage is switched off */ }
  return { "X-Refinery-Key": kept ?? given };
}
