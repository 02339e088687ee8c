'use strict';

// What the page was written with.

const data = JSON.parse(document.getElementById('data').textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const xy = new Float32Array(bytes(data.embedding));
const magnitudes = new Float32Array(bytes(data.magnitudes));
const clusterOf = new Int32Array(bytes(data.clusters));
const N = clusterOf.length;
const CLASSES = data.classes.map((each) => each.name);
const UNLABELLED = CLASSES.length - 1;
const CLUSTERS = Object.keys(data.names).map(Number).sort((a, b) => a - b);
const sprite = document.createElement('canvas'); // all cutouts, in their grey scale

const GREY = '#59636e'; // of what has no value: no magnitude, no cluster
const CLUSTER_COLOURS = [
  '#56b4e9', '#e69f00', '#2fc98f', '#f0e442', '#d86bb3', '#ff7043', '#8c9eff', '#b8e986',
  '#00d0d0', '#ff9eb5', '#c9a26d', '#b388ff', '#9fe8d8', '#dfe3e8', '#7fa650', '#ffd28a',
];
const THUMBNAILS = { columns: 10, rows: 5, scale: 3, gap: 4 };
const PICK = 10; // pixels within which the cursor finds a point

const $ = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString('en');
const points = (n) => `${count(n)} ${n === 1 ? 'cutout' : 'cutouts'}`;
const clusterLabel = (number) => (number === -1 ? 'none' : String(number));

function element(name, { label, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  if (label) made.setAttribute('aria-label', label);
  made.append(...children);
  return made;
}

function swatch(colour) {
  const made = element('span', { className: 'swatch' });
  made.style.background = colour;
  return made;
}

// What the user says: names of clusters and regions, with their history.

let state = { names: {}, regions: [] };
let past = [];
let future = [];
const labels = new Uint8Array(N);

function isInside(region, x, y) {
  if (region.box) {
    const [xmin, xmax, ymin, ymax] = region.box;
    return x >= xmin && x <= xmax && y >= ymin && y <= ymax;
  }
  // Operation by operation as in regions.py, so that both round alike.
  let inside = false;
  let [x0, y0] = region.polygon[region.polygon.length - 1];
  for (const [x1, y1] of region.polygon) {
    if ((y1 > y) !== (y0 > y) && x < ((x0 - x1) * (y - y1)) / (y0 - y1) + x1) {
      inside = !inside;
    }
    x0 = x1;
    y0 = y1;
  }
  return inside;
}

function pointsIn(region) {
  const found = [];
  for (let i = 0; i < N; i++) {
    if (isInside(region, xy[2 * i], xy[2 * i + 1])) found.push(i);
  }
  return found;
}

const nameOf = (cluster) => state.names[cluster] ?? data.names[cluster];

function relabel() {
  const byCluster = new Map(CLUSTERS.map((c) => [c, CLASSES.indexOf(nameOf(c))]));
  for (let i = 0; i < N; i++) labels[i] = byCluster.get(clusterOf[i]);
  for (const region of state.regions) {
    const value = CLASSES.indexOf(region.name);
    for (const i of pointsIn(region)) labels[i] = value;
  }
}

const plain = () => JSON.stringify(state);
const storageKey = `astrosieve-regions ${data.key}`;

function remember() {
  try {
    localStorage.setItem(storageKey, plain());
  } catch {
    // Storage is a convenience; some browsers refuse it to files.
  }
}

function recall() {
  try {
    const text = localStorage.getItem(storageKey);
    return text === null ? null : checkedRegions({ ...header(), ...JSON.parse(text) });
  } catch {
    return null;
  }
}

function change(next) {
  past.push(plain());
  future = [];
  state = structuredClone(next);
  changed();
}

function step(from, to) {
  if (!from.length) return;
  to.push(plain());
  state = JSON.parse(from.pop());
  say(from === past ? 'Undone.' : 'Done again.');
  changed();
}

function changed() {
  select(null);
  relabel();
  remember();
  refresh();
}

// Files of regions.

const header = () => ({
  format: data.format, embedding: data.embeddingDigest, clusters: data.clustersDigest,
});

function regionsText() {
  const lines = Object.entries({ ...header(), names: state.names });
  const rows = state.regions.map((region) => `\n  ${JSON.stringify(region)}`);
  return [
    '{',
    ...lines.map(([key, value]) => ` ${JSON.stringify(key)}: ${JSON.stringify(value)},`),
    ` "regions": [${rows.join(',')}${rows.length ? '\n ' : ''}]`,
    '}\n',
  ].join('\n');
}

function save() {
  const url = URL.createObjectURL(new Blob([regionsText()], { type: 'application/json' }));
  element('a', { href: url, download: 'regions.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say('Saved regions.json to the folder of downloads.');
}

function checkedRegions(content) {
  const fail = (message) => { throw new Error(message); };
  const isNumbers = (list, n) =>
    Array.isArray(list) && list.length === n && list.every(Number.isFinite);
  const isClass = (name, where) =>
    CLASSES.includes(name) || fail(`${where}: '${name}' is not a class.`);
  if (content?.format !== data.format) fail(`It is not a file of format ${data.format}.`);
  const { names = {}, regions = [] } = content;
  if (Object.prototype.toString.call(names) !== '[object Object]' || !Array.isArray(regions)) {
    fail("'names' must be an object and 'regions' a list.");
  }
  if (regions.length && content.embedding && content.embedding !== data.embeddingDigest) {
    fail('Its regions were drawn on another embedding.');
  }
  if (Object.keys(names).length && content.clusters && content.clusters !== data.clustersDigest) {
    fail('Its names were given to other clusters.');
  }
  for (const [cluster, name] of Object.entries(names)) {
    if (!Object.hasOwn(data.names, cluster)) fail(`There is no cluster ${cluster}.`);
    isClass(name, `Cluster ${cluster}`);
  }
  const checked = regions.map((region, i) => {
    const where = `Region ${i + 1}`;
    isClass(region?.name, where);
    const { box, polygon } = region;
    const good = box
      ? isNumbers(box, 4) && box[0] <= box[1] && box[2] <= box[3]
      : Array.isArray(polygon) && polygon.length > 2 && polygon.every((v) => isNumbers(v, 2));
    if (!good || (box && polygon)) fail(`${where} is neither a box nor a polygon.`);
    return box ? { name: region.name, box } : { name: region.name, polygon };
  });
  return { names, regions: checked };
}

async function load(file) {
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch (error) {
    say(`${file.name}: no JSON can be read from it (${error.message}).`, true);
    return;
  }
  try {
    change(checkedRegions(content));
  } catch (error) {
    say(`${file.name} was not loaded. ${error.message}`, true);
    return;
  }
  say(`Loaded ${file.name}.`);
}

// The view: centre in units of the embedding, pixels to a unit.

const view = { x: 0, y: 0, scale: 1, fitted: 1, width: 0, height: 0, ratio: 1 };
const toScreen = (x, y) => [
  (x - view.x) * view.scale + view.width / 2, view.height / 2 - (y - view.y) * view.scale,
];
const toPlane = (px, py) => [
  (px - view.width / 2) / view.scale + view.x, (view.height / 2 - py) / view.scale + view.y,
];

const extent = (() => {
  const all = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < N; i++) {
    const [x, y] = [xy[2 * i], xy[2 * i + 1]];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    all[0] = Math.min(all[0], x);
    all[1] = Math.max(all[1], x);
    all[2] = Math.min(all[2], y);
    all[3] = Math.max(all[3], y);
  }
  return all[0] > all[1] ? [0, 1, 0, 1] : all;
})();

function fit() {
  const [xmin, xmax, ymin, ymax] = extent;
  const margin = 64; // room for the axes and the colour bar
  view.x = (xmin + xmax) / 2;
  view.y = (ymin + ymax) / 2;
  view.scale = Math.max(1e-6, Math.min(
    (view.width - 2 * margin) / Math.max(xmax - xmin, 1e-6),
    (view.height - 2 * margin) / Math.max(ymax - ymin, 1e-6),
  ));
  view.fitted = view.scale;
  draw();
}

function zoom(factor, px = view.width / 2, py = view.height / 2) {
  const [x, y] = toPlane(px, py);
  view.scale = Math.min(Math.max(view.scale * factor, view.fitted / 4), view.fitted * 500);
  view.x = x - (px - view.width / 2) / view.scale;
  view.y = y + (py - view.height / 2) / view.scale;
  draw();
}

function move(dx, dy) {
  view.x -= dx / view.scale;
  view.y += dy / view.scale;
  draw();
}

// Colours of the points, one 32-bit number each.

const classColour = (value) => data.classes[value].colours[Number($('palette').checked)];
const clusterColour = (number) =>
  (number === -1 ? GREY : CLUSTER_COLOURS[number % CLUSTER_COLOURS.length]);
const colours = new Uint32Array(N);
const [brightest, faintest] = data.magnitudeRange;

function packed(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (value >> 16) | (value & 0xff00) | ((value & 0xff) << 16);
}

function recolour() {
  const mode = $('colour').value;
  if (mode === 'magnitude') {
    const table = data.colourmap.map(packed);
    const grey = packed(GREY);
    const span = faintest - brightest || 1;
    for (let i = 0; i < N; i++) {
      const share = (faintest - magnitudes[i]) / span;
      const bin = Math.round(Math.min(Math.max(share, 0), 1) * (table.length - 1));
      colours[i] = Number.isNaN(share) ? grey : table[bin];
    }
  } else if (mode === 'class') {
    const table = CLASSES.map((_, value) => packed(classColour(value)));
    for (let i = 0; i < N; i++) colours[i] = table[labels[i]];
  } else {
    const table = new Map(CLUSTERS.map((c) => [c, packed(clusterColour(c))]));
    for (let i = 0; i < N; i++) colours[i] = table.get(clusterOf[i]);
  }
}

// Which points are shown, and which are picked out.

const shownClusters = new Set(CLUSTERS);
const shownClasses = new Set(CLASSES.keys());
const shown = new Uint8Array(N);
let selection = null; // {indices, region | cluster, place}: place is its row of regions
const lit = new Uint8Array(N); // 1 where selected

function reshow() {
  for (let i = 0; i < N; i++) {
    shown[i] = shownClusters.has(clusterOf[i]) && shownClasses.has(labels[i]);
  }
}

function select(next) {
  lit.fill(0);
  selection = next;
  if (next) for (const i of next.indices) lit[i] = 1;
  showSelection();
  draw();
}

// Points are drawn by hand into pixels, in mixed order so that no class covers
// another: 30,000 discs take a few milliseconds in any browser.

const order = (() => {
  const mixed = Uint32Array.from({ length: N }, (_, i) => i);
  let seed = 1;
  for (let i = N - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
})();
const PHASES = 4;
const BACKGROUND = packed('#10151c') | 0xff000000;
let pixels = null;
let discs = { radius: 0 };

function makeDiscs(radius) {
  if (discs.radius === radius) return discs;
  const reach = Math.ceil(radius + 1);
  const width = 2 * reach + 1;
  const masks = [];
  for (let p = 0; p < PHASES * PHASES; p++) {
    const [dx, dy] = [(p % PHASES) / PHASES, Math.floor(p / PHASES) / PHASES];
    const mask = new Float32Array(width * width);
    for (let k = 0; k < mask.length; k++) {
      const distance = Math.hypot((k % width) - reach - dx, Math.floor(k / width) - reach - dy);
      mask[k] = Math.min(Math.max(radius + 0.5 - distance, 0), 1);
    }
    masks.push(mask);
  }
  discs = { radius, reach, width, masks };
  return discs;
}

function drawDiscs(wanted, alpha) {
  const { width, height } = pixels;
  const bytes8 = pixels.data;
  const zoomed = Math.min(Math.max(view.scale / view.fitted, 1) ** 0.4, 3.5);
  const { reach, width: side, masks } = makeDiscs(
    Math.round(1.3 * Number($('size').value) * zoomed * view.ratio * 4) / 4,
  );
  const scale = view.scale * view.ratio;
  for (let k = 0; k < N; k++) {
    const i = order[k];
    if (!shown[i] || (wanted !== null && lit[i] !== wanted)) continue;
    const px = (xy[2 * i] - view.x) * scale + width / 2;
    const py = height / 2 - (xy[2 * i + 1] - view.y) * scale;
    if (!(px > -reach && px < width + reach && py > -reach && py < height + reach)) continue;
    const [ix, iy] = [Math.floor(px), Math.floor(py)];
    const mask = masks[Math.floor((py - iy) * PHASES) * PHASES + Math.floor((px - ix) * PHASES)];
    const colour = colours[i];
    const [red, green, blue] = [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
    const [left, right] = [Math.max(ix - reach, 0), Math.min(ix + reach, width - 1)];
    const [top, bottom] = [Math.max(iy - reach, 0), Math.min(iy + reach, height - 1)];
    for (let y = top; y <= bottom; y++) {
      let at = (y * width + left) * 4;
      let from = (y - iy + reach) * side + left - ix + reach;
      for (let x = left; x <= right; x++, at += 4, from++) {
        const weight = mask[from] * alpha;
        if (weight === 0) continue;
        bytes8[at] += (red - bytes8[at]) * weight;
        bytes8[at + 1] += (green - bytes8[at + 1]) * weight;
        bytes8[at + 2] += (blue - bytes8[at + 2]) * weight;
      }
    }
  }
}

let waiting = false;

function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawPoints();
    drawMarks();
  });
}

function drawPoints() {
  const canvas = $('points');
  const context = canvas.getContext('2d');
  if (!canvas.width || !canvas.height) return;
  if (pixels?.width !== canvas.width || pixels.height !== canvas.height) {
    pixels = context.createImageData(canvas.width, canvas.height);
  }
  new Uint32Array(pixels.data.buffer).fill(BACKGROUND);
  if (selection) {
    drawDiscs(0, 0.18);
    drawDiscs(1, 1);
  } else {
    drawDiscs(null, 0.85);
  }
  context.putImageData(pixels, 0, 0);
}

// Marks over the points: axes, numbers of clusters, regions, what is being drawn.

const centres = CLUSTERS.filter((c) => c !== -1).map((cluster) => {
  const middle = (axis) => {
    const values = [];
    for (let i = 0; i < N; i++) {
      if (clusterOf[i] === cluster && Number.isFinite(xy[2 * i + axis])) values.push(xy[2 * i + axis]);
    }
    return values.sort((a, b) => a - b)[values.length >> 1];
  };
  return { cluster, x: middle(0), y: middle(1) };
});
let sketch = null; // region under the pointer, without a class
let hovered = -1;

function tickStep(span, n) {
  const raw = span / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((k) => k * power >= raw);
}

function trace(context, region) {
  const corners = region.polygon ?? (([a, b, c, d]) => [[a, c], [b, c], [b, d], [a, d]])(region.box);
  context.beginPath();
  corners.forEach(([x, y], i) => context[i ? 'lineTo' : 'moveTo'](...toScreen(x, y)));
  context.closePath();
}

function write(context, text, x, y) {
  context.lineWidth = 3;
  context.strokeStyle = '#10151c';
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

function drawAxes(context) {
  const { width, height } = view;
  const [xmin, ymax] = toPlane(0, 0);
  const [xmax, ymin] = toPlane(width, height);
  const stepSize = tickStep(xmax - xmin, Math.max(width / 110, 2));
  const digits = Math.max(0, -Math.floor(Math.log10(stepSize) + 1e-9));
  context.font = '11px system-ui, "DejaVu Sans", sans-serif';
  context.strokeStyle = 'rgb(230 234 239 / 9%)';
  context.lineWidth = 1;
  context.beginPath();
  const ticks = [];
  for (let k = Math.ceil(xmin / stepSize); k * stepSize < xmax; k++) {
    const px = toScreen(k * stepSize, 0)[0];
    context.moveTo(px, 0);
    context.lineTo(px, height);
    if (px > 40 && px < width - 70) ticks.push([(k * stepSize).toFixed(digits), px, height - 8, 'center']);
  }
  for (let k = Math.ceil(ymin / stepSize); k * stepSize < ymax; k++) {
    const py = toScreen(0, k * stepSize)[1];
    context.moveTo(0, py);
    context.lineTo(width, py);
    if (py > 30 && py < height - 24) ticks.push([(k * stepSize).toFixed(digits), 8, py + 4, 'left']);
  }
  context.stroke();
  context.fillStyle = '#9aa6b3';
  for (const [text, x, y, align] of [
    ...ticks, ['UMAP 1', width - 8, height - 8, 'right'], ['UMAP 2', 8, 18, 'left'],
  ]) {
    context.textAlign = align;
    write(context, text, x, y);
  }
}

function drawMarks() {
  const context = $('marks').getContext('2d');
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  drawAxes(context);
  context.textAlign = 'center';
  context.font = '600 12px system-ui, "DejaVu Sans", sans-serif';
  state.regions.forEach((region, i) => {
    const colour = classColour(CLASSES.indexOf(region.name));
    trace(context, region);
    context.strokeStyle = colour;
    context.lineWidth = selection?.place === i ? 3 : 1.5;
    context.stroke();
    const [x, y] = region.box ? [region.box[0], region.box[3]]
      : region.polygon.reduce((top, vertex) => (vertex[1] > top[1] ? vertex : top));
    const [px, py] = toScreen(x, y);
    context.fillStyle = colour;
    write(context, `region ${i + 1}`, px, py - 6);
  });
  context.font = '700 15px system-ui, "DejaVu Sans", sans-serif';
  context.fillStyle = '#ffffff';
  for (const { cluster, x, y } of centres) {
    if (x === undefined || !shownClusters.has(cluster)) continue;
    const [px, py] = toScreen(x, y);
    write(context, String(cluster), px, py + 5);
  }
  const drawn = sketch ?? (selection?.place === undefined ? selection?.region : null);
  if (drawn) {
    trace(context, drawn);
    context.fillStyle = 'rgb(255 255 255 / 8%)';
    context.fill('evenodd');
    context.setLineDash([5, 4]);
    context.strokeStyle = '#ffffff';
    context.lineWidth = 1.5;
    context.stroke();
    context.setLineDash([]);
  }
  if (hovered >= 0) {
    const [px, py] = toScreen(xy[2 * hovered], xy[2 * hovered + 1]);
    context.beginPath();
    context.arc(px, py, 8, 0, 2 * Math.PI);
    context.strokeStyle = '#ffffff';
    context.lineWidth = 2;
    context.stroke();
  }
}

// Cutouts, drawn from the sprite.

async function loadSprite() {
  const image = new Image();
  image.src = data.sprite;
  await image.decode();
  [sprite.width, sprite.height] = [image.width, image.height];
  const context = sprite.getContext('2d', { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const grey = context.getImageData(0, 0, sprite.width, sprite.height);
  const [black, white, gamma] = data.grey;
  const table = Array.from({ length: 256 }, (_, value) => {
    const share = Math.min(Math.max((value / 255 - black) / (white - black), 0), 1);
    return (Math.round(255 * share ** gamma) * 0x10101) | 0xff000000;
  });
  const whole = new Uint32Array(grey.data.buffer);
  for (let k = 0; k < whole.length; k++) whole[k] = table[whole[k] & 255];
  context.putImageData(grey, 0, 0);
  if (selection) drawStrip();
}

function drawCutout(context, i, x, y, size) {
  const { cutoutSize, spriteColumns } = data;
  context.imageSmoothingEnabled = false;
  context.drawImage(
    sprite, (i % spriteColumns) * cutoutSize, Math.floor(i / spriteColumns) * cutoutSize,
    cutoutSize, cutoutSize, x, y, size, size,
  );
}

function hover(i, px, py) {
  hovered = i;
  const card = $('card');
  card.hidden = i < 0;
  drawMarks();
  if (i < 0) return;
  drawCutout(card.querySelector('canvas').getContext('2d'), i, 0, 0, 121);
  const magnitude = magnitudes[i];
  const rows = [
    [data.magnitudeLabel, Number.isNaN(magnitude) ? 'not measured' : magnitude.toFixed(2)],
    ['cluster', clusterLabel(clusterOf[i])],
    ['class', element('span', {}, swatch(classColour(labels[i])), ` ${CLASSES[labels[i]]}`)],
    ['row', String(i)],
  ];
  card.querySelector('dl').replaceChildren(
    ...rows.flatMap(([key, value]) => [element('dt', {}, key), element('dd', {}, value)]),
  );
  const { offsetWidth: w, offsetHeight: h } = card;
  const left = px + 18 + w > view.width ? px - 18 - w : px + 18;
  card.style.left = `${Math.max(4, left)}px`;
  card.style.top = `${Math.min(Math.max(4, py - h / 2), view.height - h - 4)}px`;
}

function nearest(px, py) {
  const [x, y] = toPlane(px, py);
  let best = (PICK / view.scale) ** 2;
  let found = -1;
  for (let i = 0; i < N; i++) {
    if (!shown[i]) continue;
    const distance = (xy[2 * i] - x) ** 2 + (xy[2 * i + 1] - y) ** 2;
    if (distance <= best) [best, found] = [distance, i];
  }
  return found;
}

let thumbnails = [];

function drawStrip() {
  const { columns, rows, scale, gap } = THUMBNAILS;
  const canvas = $('strip');
  const indices = [...selection.indices];
  thumbnails = [];
  while (thumbnails.length < columns * rows && indices.length) {
    const j = Math.floor(Math.random() * indices.length);
    thumbnails.push(indices[j]);
    indices[j] = indices[indices.length - 1];
    indices.pop();
  }
  const size = data.cutoutSize * scale;
  const down = Math.ceil(thumbnails.length / columns);
  canvas.width = columns * (size + gap) - gap;
  canvas.height = down * (size + gap) - gap;
  const context = canvas.getContext('2d');
  thumbnails.forEach((i, k) => {
    drawCutout(context, i, (k % columns) * (size + gap), Math.floor(k / columns) * (size + gap), size);
  });
}

// The panels.

function say(text, bad = false) {
  $('status').textContent = text;
  $('status').classList.toggle('bad', bad);
}

function showSelection() {
  for (const id of ['strip', 'naming', 'after']) $(id).hidden = !selection;
  if (!selection) {
    $('selected').className = 'hint';
    $('selected').textContent =
      'Draw with Lasso or Box, or click a cluster, to see random cutouts of it and to name it.';
    return;
  }
  const { indices, cluster, place } = selection;
  const counts = new Map();
  let hidden = 0;
  let total = 0;
  let measured = 0;
  for (const i of indices) {
    counts.set(labels[i], (counts.get(labels[i]) ?? 0) + 1);
    hidden += 1 - shown[i];
    if (!Number.isNaN(magnitudes[i])) {
      total += magnitudes[i];
      measured += 1;
    }
  }
  const what = cluster !== undefined ? (cluster === -1 ? 'In no cluster' : `Cluster ${cluster}`)
    : place !== undefined ? `Region ${place + 1}` : 'New region';
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([v, n]) => `${count(n)} ${CLASSES[v]}`);
  if (hidden) parts.push(`${count(hidden)} of them hidden`);
  if (measured) parts.push(`mean ${data.magnitudeLabel} ${(total / measured).toFixed(2)}`);
  $('selected').className = '';
  $('selected').replaceChildren(
    element('strong', {}, `${what}: ${points(indices.length)}`), element('br'), parts.join(', '),
  );
  drawStrip();
}

function giveName(name) {
  if (!selection) return;
  const { region, cluster, place, indices } = selection;
  const next = structuredClone(state);
  if (cluster !== undefined) {
    nameCluster(cluster, name);
    return;
  }
  if (place !== undefined) next.regions[place].name = name;
  else next.regions.push({ name, ...region });
  change(next);
  say(`${points(indices.length)} named ${name}.`);
}

function nameCluster(cluster, name) {
  const next = structuredClone(state);
  if (name === data.names[cluster]) delete next.names[cluster];
  else next.names[cluster] = name;
  change(next);
  say(`${cluster === -1 ? 'What is in no cluster' : `Cluster ${cluster}`} named ${name}.`);
}

function classSelect(name, label, act) {
  const made = element('select', { label });
  made.append(...CLASSES.map((each) => element('option', { value: each }, each)));
  made.value = name;
  made.addEventListener('change', () => act(made.value));
  return made;
}

const sizes = new Map(CLUSTERS.map((c) => [c, 0]));
for (const c of clusterOf) sizes.set(c, sizes.get(c) + 1);

const pickCluster = (cluster) => {
  const indices = [];
  for (let i = 0; i < N; i++) if (clusterOf[i] === cluster) indices.push(i);
  select({ indices, cluster });
};

function pickAt(px, py) {
  const found = nearest(px, py);
  if (found < 0) cancel();
  else pickCluster(clusterOf[found]);
}

function checkbox(checked, label, act) {
  const made = element('input', { type: 'checkbox', checked, label });
  made.addEventListener('change', () => {
    act(made.checked);
    reshow();
    draw();
  });
  return made;
}

const toggle = (set, value) => (on) => (on ? set.add(value) : set.delete(value));

function showClusters() {
  $('clusters').replaceChildren(...CLUSTERS.map((cluster) => {
    const label = cluster === -1 ? 'no cluster' : `cluster ${cluster}`;
    const choice = classSelect(nameOf(cluster), `Class of ${label}`, (name) => nameCluster(cluster, name));
    if (cluster in state.names) {
      choice.classList.add('changed');
      choice.title = `automatic: ${data.names[cluster]}`;
    }
    const pick = element('button', { className: 'plain', title: `Select ${label}` }, clusterLabel(cluster));
    pick.addEventListener('click', () => pickCluster(cluster));
    return element('tr', {},
      element('td', {}, checkbox(shownClusters.has(cluster), `Show ${label}`, toggle(shownClusters, cluster))),
      element('td', {}, swatch(clusterColour(cluster)), pick),
      element('td', { className: 'number' }, count(sizes.get(cluster))),
      element('td', {}, choice));
  }));
}

function showClasses() {
  const counts = new Array(CLASSES.length).fill(0);
  for (const value of labels) counts[value] += 1;
  $('classes').replaceChildren(...CLASSES.map((name, value) => element('li', {}, element('label', {},
    checkbox(shownClasses.has(value), `Show ${name}`, toggle(shownClasses, value)),
    swatch(classColour(value)), name,
    element('span', { className: 'number', id: `count-${name}` }, count(counts[value]))))));
  $('naming').replaceChildren(...CLASSES.map((name, value) => {
    const made = element('button', { value: name }, swatch(classColour(value)), name,
      element('kbd', {}, value === UNLABELLED ? '0' : String(value + 1)));
    made.addEventListener('click', () => giveName(name));
    return made;
  }));
}

function showRegions() {
  $('no-regions').hidden = state.regions.length > 0;
  $('region-table').hidden = !state.regions.length;
  $('regions').replaceChildren(...state.regions.map((region, place) => {
    const indices = pointsIn(region);
    const label = `region ${place + 1}`;
    const pick = element('button', { className: 'plain', title: `Select ${label}` },
      `${place + 1}, ${region.box ? 'box' : 'lasso'}`);
    pick.addEventListener('click', () => select({ indices, region, place }));
    const remove = element('button', { className: 'plain', label: `Remove ${label}` }, 'remove');
    remove.addEventListener('click', () => {
      change({ ...state, regions: state.regions.filter((_, i) => i !== place) });
      say(`Removed ${label}.`);
    });
    const choice = classSelect(region.name, `Class of ${label}`, (name) => {
      const next = structuredClone(state);
      next.regions[place].name = name;
      change(next);
      say(`${points(indices.length)} named ${name}.`);
    });
    return element('tr', {}, element('td', {}, pick),
      element('td', { className: 'number' }, count(indices.length)),
      element('td', {}, choice), element('td', {}, remove));
  }));
}

function showBar() {
  $('bar').hidden = $('colour').value !== 'magnitude';
  $('bar-title').textContent = data.magnitudeLabel;
  $('bar-colours').style.background = `linear-gradient(to left, ${data.colourmap.join(',')})`;
  const span = faintest - brightest;
  const ticks = [];
  if (span > 0) {
    const stepSize = tickStep(span, 6);
    const digits = Math.max(0, -Math.floor(Math.log10(stepSize) + 1e-9));
    for (let k = Math.ceil(brightest / stepSize); k * stepSize <= faintest; k++) {
      const tick = element('span', {}, (k * stepSize).toFixed(digits));
      tick.style.left = `${(100 * (k * stepSize - brightest)) / span}%`;
      ticks.push(tick);
    }
  }
  $('bar-ticks').replaceChildren(...ticks);
  const without = magnitudes.reduce((n, value) => n + Number.isNaN(value), 0);
  $('bar-none').replaceChildren(...(without ? [swatch(GREY), `none: ${count(without)}`] : []));
}

function refresh() {
  $('undo').disabled = !past.length;
  $('redo').disabled = !future.length;
  $('reset').disabled = plain() === JSON.stringify(initial);
  reshow();
  recolour();
  showClasses();
  showClusters();
  showRegions();
  showBar();
  draw();
}

// The tools.

let tool = 'pan';

function setTool(name) {
  tool = name;
  $('view').className = name;
  for (const button of $('tools').children) {
    const on = button.dataset.value === name;
    button.setAttribute('aria-checked', String(on));
    button.tabIndex = on ? 0 : -1;
  }
  say({
    pan: 'Drag to move, wheel to zoom; point at a dot to see its cutout, click it to select its cluster.',
    lasso: 'Draw around points; Shift-drag moves the view.',
    box: 'Drag a box over points; Shift-drag moves the view.',
  }[name]);
}

// Coordinates to a hundredth of a pixel, so that files stay short.
function neat(value) {
  return Number(value.toFixed(Math.max(0, Math.ceil(Math.log10(view.scale)) + 2)));
}

function selectRegion(region) {
  const indices = pointsIn(region);
  if (!indices.length) {
    select(null);
    say('There is no cutout inside.', true);
    return;
  }
  select({ indices, region });
  say(`${points(indices.length)} selected; choose a class for them.`);
}

let drag = null;

function onDown(event) {
  if (event.button > 1) return;
  const { offsetX: px, offsetY: py } = event;
  const panning = tool === 'pan' || event.shiftKey || event.button === 1;
  drag = { mode: panning ? 'pan' : tool, px, py, path: [[px, py]] };
  $('view').setPointerCapture(event.pointerId);
  $('view').classList.add('dragging');
  $('view').focus({ preventScroll: true });
  hover(-1);
  event.preventDefault();
}

function sketched() {
  const places = drag.path.map(([px, py]) => toPlane(px, py).map(neat));
  if (drag.mode === 'lasso') return { polygon: places };
  const [[x0, y0], [x1, y1]] = [places[0], places[places.length - 1]];
  return { box: [Math.min(x0, x1), Math.max(x0, x1), Math.min(y0, y1), Math.max(y0, y1)] };
}

function onMove(event) {
  const { offsetX: px, offsetY: py } = event;
  if (drag?.mode !== 'pan') $('cursor').textContent = toPlane(px, py).map(neat).join(', ');
  if (!drag) {
    const found = nearest(px, py);
    if (found >= 0 || hovered >= 0) hover(found, px, py);
    return;
  }
  if (drag.mode === 'pan') {
    drag.moved ||= Math.hypot(px - drag.px, py - drag.py) > 2;
    if (!drag.moved) return;
    move(px - drag.px, py - drag.py);
    [drag.px, drag.py] = [px, py];
    return;
  }
  const [lastX, lastY] = drag.path[drag.path.length - 1];
  if (Math.hypot(px - lastX, py - lastY) < 3) return;
  drag.path.push([px, py]);
  sketch = sketched();
  drawMarks();
}

function onUp() {
  if (!drag) return;
  const { mode, moved, path } = drag;
  const region = sketch;
  drag = null;
  sketch = null;
  $('view').classList.remove('dragging');
  if (mode === 'pan') {
    const [px, py] = path[0];
    if (!moved && tool === 'pan') pickAt(px, py);
    return;
  }
  if (region && path.length >= (mode === 'lasso' ? 3 : 2)) selectRegion(region);
  else select(null);
}

function cancel() {
  drag = null;
  sketch = null;
  select(null);
  say('');
}

function onKey(event) {
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && !event.altKey && (key === 'z' || key === 'y')) {
    event.preventDefault();
    if (key === 'y' || event.shiftKey) step(future, past);
    else step(past, future);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches('select, input:not([type="checkbox"])')) return;
  const named = /^[0-9]$/.test(key) ? (key === '0' ? UNLABELLED : Number(key) - 1) : -1;
  const tools = { p: 'pan', l: 'lasso', b: 'box' };
  const arrows = { arrowleft: [60, 0], arrowright: [-60, 0], arrowup: [0, 60], arrowdown: [0, -60] };
  if (key in tools) setTool(tools[key]);
  else if (key === 'escape') cancel();
  else if (key === 'f') fit();
  else if (key === '+' || key === '=') zoom(1.25);
  else if (key === '-') zoom(0.8);
  else if (key in arrows && event.target === $('view')) move(...arrows[key]);
  else if (named >= 0 && named < CLASSES.length && selection) giveName(CLASSES[named]);
  else return;
  event.preventDefault();
}

function listen() {
  const box = $('view');
  box.addEventListener('pointerdown', onDown);
  box.addEventListener('pointermove', onMove);
  box.addEventListener('pointerup', onUp);
  box.addEventListener('pointercancel', cancel);
  box.addEventListener('pointerleave', () => {
    hover(-1);
    $('cursor').textContent = '';
  });
  box.addEventListener('wheel', (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    hover(-1);
    zoom(Math.exp(-0.0015 * event.deltaY * lines), event.offsetX, event.offsetY);
  }, { passive: false });
  document.addEventListener('keydown', onKey);
  for (const button of $('tools').children) {
    button.addEventListener('click', () => setTool(button.dataset.value));
  }
  $('tools').addEventListener('keydown', (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    const all = [...$('tools').children];
    const next = all[(all.indexOf(event.target) + way + all.length) % all.length];
    setTool(next.dataset.value);
    next.focus();
  });
  $('colour').addEventListener('change', refresh);
  $('palette').addEventListener('change', refresh);
  $('size').addEventListener('input', draw);
  $('in').addEventListener('click', () => zoom(1.5));
  $('out').addEventListener('click', () => zoom(1 / 1.5));
  $('fit').addEventListener('click', fit);
  $('undo').addEventListener('click', () => step(past, future));
  $('redo').addEventListener('click', () => step(future, past));
  $('reset').addEventListener('click', () => {
    change(initial);
    say('As the page was written; Undo brings your work back.');
  });
  $('save').addEventListener('click', save);
  $('load').addEventListener('click', () => $('file').click());
  $('file').addEventListener('change', async () => {
    const [file] = $('file').files;
    if (file) await load(file);
    $('file').value = '';
  });
  $('again').addEventListener('click', drawStrip);
  $('drop').addEventListener('click', cancel);
  for (const [id, clusters] of [['all', CLUSTERS], ['none', []]]) {
    $(id).addEventListener('click', () => {
      shownClusters.clear();
      for (const cluster of clusters) shownClusters.add(cluster);
      refresh();
    });
  }
  $('strip').addEventListener('pointermove', (event) => {
    const { columns, scale, gap } = THUMBNAILS;
    const pitch = ((data.cutoutSize * scale + gap) * $('strip').clientWidth) / $('strip').width;
    const k = Math.floor(event.offsetY / pitch) * columns + Math.floor(event.offsetX / pitch);
    const i = thumbnails[k] ?? -1;
    if (i < 0) hover(-1);
    else hover(i, ...toScreen(xy[2 * i], xy[2 * i + 1]));
  });
  $('strip').addEventListener('pointerleave', () => hover(-1));
  $('numbers').addEventListener('submit', (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const box_ = ['xmin', 'xmax', 'ymin', 'ymax'].map((name) => Number(form.get(name)));
    if (box_[0] > box_[1] || box_[2] > box_[3]) say('A box goes from the lower to the higher number.', true);
    else selectRegion({ box: box_ });
  });
  new ResizeObserver(() => {
    const first = view.width === 0;
    const fitted = view.scale === view.fitted;
    view.ratio = window.devicePixelRatio || 1;
    [view.width, view.height] = [box.clientWidth, box.clientHeight];
    for (const id of ['points', 'marks']) {
      $(id).width = Math.round(view.width * view.ratio);
      $(id).height = Math.round(view.height * view.ratio);
    }
    if (first || fitted) fit();
    else draw();
  }).observe(box);
}

const initial = checkedRegions(data.regions);
state = structuredClone(recall() ?? initial);
$('summary').textContent =
  `${points(N)}, ${CLUSTERS.filter((c) => c !== -1).length} clusters`;
loadSprite();
listen();
relabel();
refresh();
showSelection();
setTool('pan');
if (plain() !== JSON.stringify(initial)) say('Your names and regions of the last visit are back.');
