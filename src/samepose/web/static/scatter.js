// Up to 100,000 points on a canvas: drawn pixel by pixel, which needs no graphics card.

const CELLS = 128; // on each side of the grid that finds the nearest point
const FULL = 65535; // the largest coordinate
const MARGIN = 28; // pixels of the page around all points
const NEAREST = 12; // pixels within which a point is pointed at
const MOST_ZOOM = 400; // times the whole

/** Shapes of labels, in the order of the labels; each says whether u, v in -1..1 is in it. */
export const SHAPES = [
  ["circle", (u, v) => u * u + v * v <= 1.05],
  ["square", (u, v) => Math.max(Math.abs(u), Math.abs(v)) <= 0.85],
  ["triangle", (u, v) => v <= 0.8 && Math.abs(u) <= (v + 1) / 1.8],
  ["diamond", (u, v) => Math.abs(u) + Math.abs(v) <= 1.05],
  ["cross", (u, v) => Math.abs(Math.abs(u) - Math.abs(v)) <= 0.36 && Math.max(Math.abs(u), Math.abs(v)) <= 1],
  ["plus", (u, v) => Math.min(Math.abs(u), Math.abs(v)) <= 0.3 && Math.max(Math.abs(u), Math.abs(v)) <= 1],
  ["ring", (u, v) => u * u + v * v <= 1.05 && u * u + v * v >= 0.36],
  ["wedge", (u, v) => v >= -0.8 && Math.abs(u) <= (1 - v) / 1.8],
];

export class Scatter {
  /** `points` are columns x, y, label; `kinds` for each label { colour: [r, g, b], shape, shown }. */
  constructor(canvas, points, kinds) {
    Object.assign(this, { canvas, points, kinds, n: points.x.length, background: [255, 255, 255], mark: [255, 45, 111] });
    this.context = canvas.getContext("2d", { alpha: false });
    this.chosen = new Uint8Array(this.n);
    this.index();
    this.resize();
    this.fit();
  }

  /** Sort the points into cells. */
  index() {
    const { x, y } = this.points;
    const cell = Uint32Array.from(x, (value, k) => ((y[k] * CELLS) >> 16) * CELLS + ((value * CELLS) >> 16));
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (const c of cell) this.starts[c + 1] += 1;
    for (let c = 0; c < CELLS * CELLS; c += 1) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.order = new Uint32Array(this.n);
    cell.forEach((c, k) => { this.order[next[c]++] = k; });
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(Math.round(width * this.ratio), 1);
    this.canvas.height = Math.max(Math.round(height * this.ratio), 1);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.width = width;
    this.height = height;
  }

  /** All points in the middle. */
  fit() {
    const { x, y } = this.points;
    let [low, high, bottom, top] = [FULL, 0, FULL, 0];
    for (let k = 0; k < this.n; k += 1) {
      if (x[k] < low) low = x[k];
      if (x[k] > high) high = x[k];
      if (y[k] < bottom) bottom = y[k];
      if (y[k] > top) top = y[k];
    }
    this.cx = (low + high) / 2;
    this.cy = (bottom + top) / 2;
    this.whole = Math.max(Math.min((this.width - 2 * MARGIN) / Math.max(high - low, 1),
      (this.height - 2 * MARGIN) / Math.max(top - bottom, 1)), 1e-4); // pixels of the page for one unit
    this.scale = this.whole;
  }

  get zoom() { return this.scale / this.whole; }

  screen(k) {
    return [this.width / 2 + (this.points.x[k] - this.cx) * this.scale,
      this.height / 2 - (this.points.y[k] - this.cy) * this.scale];
  }

  pan(dx, dy) {
    this.cx = Math.min(Math.max(this.cx - dx / this.scale, 0), FULL);
    this.cy = Math.min(Math.max(this.cy + dy / this.scale, 0), FULL);
  }

  /** Zoom so that what is at px, py of the page's pixels stays there. */
  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const to = Math.min(Math.max(this.scale * factor, this.whole * 0.8), this.whole * MOST_ZOOM);
    const [dx, dy] = [px - this.width / 2, this.height / 2 - py];
    this.cx += dx / this.scale - dx / to;
    this.cy += dy / this.scale - dy / to;
    this.scale = to;
  }

  /** Pixels of the page; few points are large, and all grow as one comes near. */
  get radius() {
    const far = Math.min(Math.max(1.3 * (100_000 / this.n) ** 0.2, 1.3), 4.5);
    return Math.min(far + Math.log2(Math.max(this.zoom, 1)) * 0.55, 6);
  }

  draw() {
    const { pixels, canvas: { width, height }, points: { x, y, label }, kinds, ratio, chosen } = this;
    pixels.fill(packed(this.background));
    const sprites = kinds.map((kind, k) => sprite(SHAPES[kind.shape][1], this.radius * ratio * (k ? 1.35 : 1), width));
    const inks = kinds.map((kind) => packed(kind.colour));
    const mark = packed(this.mark);
    const ring = sprite(SHAPES[0][1], this.radius * ratio * 2.1, width);
    const scale = this.scale * ratio;
    const [ox, oy] = [width / 2 - this.cx * scale, height / 2 + this.cy * scale];
    const edge = ring.reach + 1;
    for (let pass = 0; pass < 2; pass += 1) { // who is chosen last, over the others
      for (let k = 0; k < this.n; k += 1) {
        const kind = label[k];
        if (chosen[k] !== pass || !kinds[kind].shown) continue;
        const px = (ox + x[k] * scale) | 0;
        const py = (oy - y[k] * scale) | 0;
        if (px < edge || py < edge || px >= width - edge || py >= height - edge) continue;
        const at = py * width + px;
        if (pass) for (const offset of ring.offsets) pixels[at + offset] = mark;
        const { offsets } = sprites[kind];
        const ink = inks[kind];
        if (kind || pass) {
          for (let o = 0; o < offsets.length; o += 1) pixels[at + offsets[o]] = ink;
        } else { // half through, so that where many are is denser
          for (let o = 0; o < offsets.length; o += 1) {
            const to = at + offsets[o];
            pixels[to] = (((pixels[to] & 0xfefefe) >>> 1) + ((ink & 0xfefefe) >>> 1)) | 0xff000000;
          }
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** The point nearest to a place on the page, or -1. */
  nearest(px, py) {
    const [wx, wy] = this.unit(px, py);
    const reach = NEAREST / this.scale;
    let [best, least] = [-1, reach * reach];
    this.each(wx - reach, wy - reach, wx + reach, wy + reach, (k) => {
      const off = (this.points.x[k] - wx) ** 2 + (this.points.y[k] - wy) ** 2;
      if (off < least) [best, least] = [k, off];
    });
    return best;
  }

  unit(px, py) {
    return [this.cx + (px - this.width / 2) / this.scale, this.cy - (py - this.height / 2) / this.scale];
  }

  /** Call for each shown point in a rectangle of units. */
  each(left, bottom, right, top, call) {
    const cell = (value) => Math.min(Math.max((value * CELLS) >> 16, 0), CELLS - 1);
    const { x, y, label } = this.points;
    for (let row = cell(bottom); row <= cell(top); row += 1) {
      const [from, to] = [this.starts[row * CELLS + cell(left)], this.starts[row * CELLS + cell(right) + 1]];
      for (let i = from; i < to; i += 1) {
        const k = this.order[i];
        if (this.kinds[label[k]].shown && x[k] >= left && x[k] <= right && y[k] >= bottom && y[k] <= top) call(k);
      }
    }
  }

  /** Points that can be seen; at most `most`. */
  visible(most = Infinity) {
    const found = [];
    const [left, top] = this.unit(0, 0);
    const [right, bottom] = this.unit(this.width, this.height);
    this.each(left, bottom, right, top, (k) => { if (found.length < most) found.push(k); });
    return found;
  }

  /** Points inside a polygon of places on the page. */
  inside(polygon) {
    const corners = polygon.map(([px, py]) => this.unit(px, py));
    const [xs, ys] = [corners.map(([px]) => px), corners.map(([, py]) => py)];
    const found = [];
    this.each(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (k) => {
      if (within(corners, this.points.x[k], this.points.y[k])) found.push(k);
    });
    return found;
  }

  choose(list) {
    this.chosen.fill(0);
    for (const k of list) this.chosen[k] = 1;
  }
}

/** Offsets in the pixels of a picture `width` wide. */
function sprite(shape, radius, width) {
  const reach = Math.ceil(radius);
  const offsets = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      if (shape(dx / radius, dy / radius)) offsets.push(dy * width + dx);
    }
  }
  return { offsets: offsets.length ? offsets : [0], reach };
}

const packed = ([r, g, b]) => (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;

function within(corners, px, py) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [corners[i], corners[j]];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
