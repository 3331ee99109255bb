// Elements, and requests to the gallery's port. Names reach the page as text alone: nothing here parses HTML.

import { keyHeader } from "./change_key.js";

/** An element with properties and children; strings become text. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  return filled(element, properties, children);
}

/** The same for drawings. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const FOCUSABLE = "a, button, input, select, [tabindex]";

/** Put these children in place of an element's own; what stands where the focus was has the focus. */
export function fill(element, ...children) {
  const at = element.contains(document.activeElement) ? [...element.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) : -1;
  element.replaceChildren();
  filled(element, {}, children);
  if (at >= 0) element.querySelectorAll(FOCUSABLE)[at]?.focus({ preventScroll: true });
  return element;
}

/** Whether a value differs from the one that `place` showed last; a page that shows the same is left alone. */
export function changed(place, value) {
  const text = JSON.stringify(value);
  const differs = place.shownText !== text;
  place.shownText = text;
  return differs;
}

/** An answer that says why something was not done. */
export class Refused extends Error {
  constructor(message, status, share = null) {
    super(message);
    this.status = status;
    this.share = share; // that is done of what is waited for, where it is known
  }
}

export async function get(path, query = {}) {
  const words = new URLSearchParams(query).toString();
  return answer(await reach(() => fetch(`/api/${path}${words ? `?${words}` : ""}`)));
}

/** Bytes, as whole numbers of a kind that the caller knows. */
export async function getBytes(path) {
  const response = await reach(() => fetch(`/api/${path}`));
  return response.status === 200 ? response.arrayBuffer() : answer(response);
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json", ...keyHeader() };
  return answer(await reach(() => fetch(`/api/${path}`, { method: "POST", headers, body: JSON.stringify(body) })));
}

async function reach(request) {
  try {
    return await request();
  } catch {
    throw new Refused("the gallery does not answer: is refinery browse still running?", 0);
  }
}

async function answer(response) {
  if (response.ok && response.status !== 202) return response.json(); // 202: it is being computed, ask again
  let message = `the gallery answered ${response.status}`, share = null;
  if (response.status === 401) message = "open the address that refinery browse printed: this browser has no key";
  try {
    const said = await response.json();
    message = said.error || message;
    share = said.share ?? null;
  } catch { /* not JSON: the status says enough */ }
  throw new Refused(message, response.status, share);
}

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(n);
export const share = (n, all) => (all ? `${((100 * n) / all).toFixed(1)}%` : "");
export const number = (x, digits = 1) => (x === null || x === undefined ? "–" : x.toFixed(digits));

export const identityAddress = (name) => `#/identity/${encodeURIComponent(name)}`;
export const photoAddress = (face) => `#/photo/${encodeURIComponent(face)}`;
export const nameLink = (name) => h("a", { href: identityAddress(name) }, name);

/** A face that is loaded when it comes into view; where there is none, words in its place. */
export function faceImage(face, alt, size = 96) {
  const image = h("img", { src: `/face/${encodeURIComponent(face)}.jpg`, alt, loading: "lazy", width: size, height: size,
    decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "none", role: "img", "aria-label": alt || "no face" }, "no face")));
  return image;
}
