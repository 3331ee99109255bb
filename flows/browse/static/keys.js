// Which command a key means. Letters mean the same in either case: the pages show capitals, and Caps Lock may be on.

/** The key of a command; "": none is meant, because a modifier is held or the key goes into one of these fields. */
export function commandKey(event, fields = "input, textarea, select, dialog") {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(fields)) return "";
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

/** Run what a key stands for; a key that is held is one press. Returns whether it stands for something. */
export function press(event, run) {
  if (!run) return false;
  event.preventDefault();
  if (!event.repeat) run();
  return true;
}
