// The canvas of the map: points are stamped into pixels, so 100,000 of them are drawn in a few milliseconds.

const MIN_SCALE = 0.5, MAX_SCALE = 2000; // of the whole map's size
const EDGE_PX = 36; // as near to the edge a point may be drawn in part, or not at all
export const MARKS = [ // by their bits: what is suspicious, its shape and its colour
  { name: "twin", shape: "▲", colour: "--kept" }, { name: "two_persons", shape: "■", colour: "--relabelled" }, { name: "removed", shape: "✚", colour: "--removed" },
];
const INSIDE = { // whether a pixel of a stamp is inside its shape; from -1 to 1, y down
  "●": (x, y) => x * x + y * y <= 1, "▲": (x, y) => y <= 0.9 && Math.abs(x) <= (y + 1) / 2, "■": (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.85,
  "✚": (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.35, "○": (x, y) => { const r = Math.hypot(x, y); return r <= 1 && r >= 0.76; },
  "□": (x, y) => { const r = Math.max(Math.abs(x), Math.abs(y)); return r <= 1 && r >= 0.72; },
};

export class MapCanvas {
  constructor(canvas) {
    Object.assign(this, { canvas, context: canvas.getContext("2d"), scale: 1, centre: [0, 0], n: 0, shown: 7,
      chosen: new Set(), found: new Set(), at: -1, lasso: null });
  }

  /** Take the points of the gallery: see map_page.map_bytes(). */
  take(buffer) {
    const n = (this.n = buffer.byteLength / 5);
    const places = new DataView(buffer), place = (i) => (2 * places.getUint16(2 * i, true)) / 65535 - 1;
    this.x = Float32Array.from({ length: n }, (_, i) => place(i));
    this.y = Float32Array.from({ length: n }, (_, i) => place(n + i));
    this.marks = new Uint8Array(buffer, 4 * n, n);
    this.draw();
  }

  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * this.ratio)), Math.max(1, Math.round(box.height * this.ratio))];
    if (width !== this.canvas.width || height !== this.canvas.height) Object.assign(this.canvas, { width, height });
    this.draw();
  }

  /** Pixels of the canvas for one unit of the map; the whole map is two units wide. */
  get unit() {
    return 0.47 * Math.min(this.canvas.width, this.canvas.height) * this.scale;
  }

  toPixels(i) {
    return [this.canvas.width / 2 + (this.x[i] - this.centre[0]) * this.unit, this.canvas.height / 2 + (this.y[i] - this.centre[1]) * this.unit];
  }

  /** The place of the map at a point of the page. */
  toPlace(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    return [this.centre[0] + ((clientX - box.left) * this.ratio - this.canvas.width / 2) / this.unit,
      this.centre[1] + ((clientY - box.top) * this.ratio - this.canvas.height / 2) / this.unit];
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - (dx * this.ratio) / this.unit, this.centre[1] - (dy * this.ratio) / this.unit];
    this.keepInSight();
    this.draw();
  }

  /** Zoom by a factor; the place at this point of the page (the middle, where there is none) stays where it is. */
  zoom(factor, point = null) {
    const before = point && this.toPlace(...point);
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    if (before) {
      const after = this.toPlace(...point);
      this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    }
    this.keepInSight();
    this.draw();
  }

  /** Move the view by the little that brings a point into it where there is none: nobody finds a way out of an empty part. */
  keepInSight() {
    const edge = EDGE_PX * this.ratio, beyond = (d, half) => Math.sign(d) * Math.max(0, Math.abs(d) - Math.max(0, half - edge) / this.unit);
    let least = Infinity, move = [0, 0];
    for (let i = 0; i < this.n; i++) {
      const dx = beyond(this.x[i] - this.centre[0], this.canvas.width / 2), dy = beyond(this.y[i] - this.centre[1], this.canvas.height / 2), cost = dx * dx + dy * dy;
      if (cost < least) [least, move] = [cost, [dx, dy]];
      if (!cost) return;
    }
    this.centre = [this.centre[0] + move[0], this.centre[1] + move[1]];
  }

  whole() {
    Object.assign(this, { scale: 1, centre: [0, 0] });
    this.draw();
  }

  /** Move the view so that a point is on the screen. */
  show(i) {
    const [x, y] = this.toPixels(i), edge = 20 * this.ratio;
    if (x < edge || y < edge || x > this.canvas.width - edge || y > this.canvas.height - edge) this.centre = [this.x[i], this.y[i]];
    this.draw();
  }

  /** The point nearest to a place of the page, within some pixels of it; -1: none. */
  near(clientX, clientY, most = 14) {
    const [px, py] = this.toPlace(clientX, clientY);
    return this.nearest(px, py, 1, ((most * this.ratio) / this.unit) ** 2)[0] ?? -1;
  }

  /** The points nearest to a place of the map, the nearest first. */
  nearest(px, py, k, limit = Infinity) {
    const best = [];
    for (let i = 0; i < this.n; i++) {
      const d = (this.x[i] - px) ** 2 + (this.y[i] - py) ** 2;
      if (d >= limit) continue;
      best.push([d, i]);
      if (best.length > 4 * k + 16) {
        best.sort((a, b) => a[0] - b[0]);
        best.length = k;
        limit = best[k - 1][0];
      }
    }
    return best.sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, k).map(([, i]) => i);
  }

  /** The nearest point in a direction from the current one, of those within 45 degrees of it; -1: none. */
  step(dx, dy) {
    if (this.at < 0) return this.nearest(...this.centre, 1)[0] ?? -1;
    let best = -1, least = Infinity;
    for (let i = 0; i < this.n; i++) {
      const x = this.x[i] - this.x[this.at], y = this.y[i] - this.y[this.at], ahead = x * dx + y * dy, aside = Math.abs(x * dy - y * dx);
      if (i === this.at || ahead <= 0 || aside > ahead) continue;
      const cost = ahead + 2 * aside;
      if (cost < least) [best, least] = [i, cost];
    }
    return best;
  }

  /** The points inside a polygon of places of the map. */
  inside(polygon) {
    const xs = polygon.map((p) => p[0]), ys = polygon.map((p) => p[1]);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const points = [];
    for (let i = 0; i < this.n; i++) {
      const x = this.x[i], y = this.y[i];
      if (x < left || x > right || y < top || y > bottom) continue;
      let within = false;
      for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
        if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) within = !within;
      }
      if (within) points.push(i);
    }
    return points;
  }

  /** The points on the screen. */
  inView() {
    const [w, h] = [this.canvas.width / 2 / this.unit, this.canvas.height / 2 / this.unit], [cx, cy] = this.centre;
    return this.inside([[cx - w, cy - h], [cx + w, cy - h], [cx + w, cy + h], [cx - w, cy + h]]);
  }

  draw() {
    this.waiting ??= requestAnimationFrame(() => { this.waiting = null; this.paint(); });
  }

  paint() {
    const { width, height } = this.canvas;
    if (!this.n || width < 2) return;
    if (this.image?.width !== width || this.image.height !== height) this.image = this.context.createImageData(width, height);
    const colours = this.colours(), buffer = new Uint32Array(this.image.data.buffer).fill(0);
    const grow = Math.min(2.2, 1 + Math.log2(Math.max(1, this.scale)) / 5), unit = this.unit, [cx, cy] = this.centre;
    const radius = (this.n < 300 ? 4 : this.n < 3000 ? 2.8 : 1.4) * this.ratio * grow;
    const plain = stamp("●", radius, width), shapes = MARKS.map((m) => stamp(m.shape, 2.1 * radius, width)), ring = stamp("○", 3 * radius + 3, width), frame = stamp("□", 3 * radius + 1, width);
    const edge = Math.ceil(3 * radius + 5), later = MARKS.map(() => []);
    const put = (i, offsets, colour) => {
      const x = Math.round(width / 2 + (this.x[i] - cx) * unit), y = Math.round(height / 2 + (this.y[i] - cy) * unit);
      if (x < edge || y < edge || x >= width - edge || y >= height - edge) return;
      const at = y * width + x;
      for (let k = 0; k < offsets.length; k++) buffer[at + offsets[k]] = colour;
    };
    for (let i = 0; i < this.n; i++) {
      const marks = this.marks[i] & this.shown;
      marks ? later[31 - Math.clz32(marks & -marks)].push(i) : put(i, plain, colours.plain); // by its lowest bit
    }
    for (let bit = later.length - 1; bit >= 0; bit--) for (const i of later[bit]) put(i, shapes[bit], colours.marks[bit]);
    for (const i of this.found) put(i, ring, colours.found);
    for (const i of this.chosen) put(i, frame, colours.chosen);
    this.context.putImageData(this.image, 0, 0);
    this.outline(colours);
  }

  /** The lasso, and a cross-hair at the current point. */
  outline({ ink }) {
    const { context } = this;
    Object.assign(context, { strokeStyle: ink, lineWidth: 1.5 * this.ratio });
    if (this.lasso?.length > 1) {
      const pixels = this.lasso.map(([x, y]) => [this.canvas.width / 2 + (x - this.centre[0]) * this.unit, this.canvas.height / 2 + (y - this.centre[1]) * this.unit]);
      context.beginPath();
      pixels.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
      context.stroke();
    }
    if (this.at >= 0 && this.at < this.n) {
      const [x, y] = this.toPixels(this.at), r = 12 * this.ratio;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 0.5 * r * dx, y + 0.5 * r * dy);
        context.lineTo(x + 1.4 * r * dx, y + 1.4 * r * dy);
      }
      context.stroke();
    }
  }

  /** The colours of the page, as pixels. */
  colours() {
    const style = getComputedStyle(this.canvas), word = (name) => style.getPropertyValue(name).trim();
    return { plain: this.pixel(word("--dot")), found: this.pixel(word("--ink")), chosen: this.pixel(word("--blue")), ink: word("--ink"),
      marks: MARKS.map((m) => this.pixel(word(m.colour))) };
  }

  /** A colour as the four bytes that it is in an image; colours of the style sheet have 3 or 6 digits. */
  pixel(colour) {
    const digits = colour.slice(1), wide = digits.length === 3 ? [...digits].map((d) => d + d).join("") : digits;
    const [r, g, b] = [0, 2, 4].map((i) => parseInt(wide.slice(i, i + 2), 16));
    return new Uint32Array(new Uint8ClampedArray([r, g, b, 255]).buffer)[0];
  }
}

/** The pixels of a shape around its middle, as offsets into an image of this width. */
function stamp(shape, radius, width) {
  const r = Math.ceil(radius), offsets = [];
  for (let y = -r; y <= r; y++) for (let x = -r; x <= r; x++) if (INSIDE[shape](x / radius, y / radius)) offsets.push(y * width + x);
  return Int32Array.from(offsets);
}
