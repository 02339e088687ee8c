'use strict';

const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const TYPES = {
  kind: Uint8Array, image: Uint16Array, bits: Int32Array, ra: Float64Array, dec: Float64Array,
};
const columns = {};
for (const [name, text] of Object.entries(data.columns)) {
  columns[name] = new (TYPES[name] ?? Float32Array)(bytes(text).buffer);
}
const { kind, image, bits, x, y, left, down, shares, ra, dec } = columns;
const n = data.ids.length;
const counts = data.classes.map(() => 0);
for (const each of kind) counts[each] += 1;

// Sizes in pixels of the screen; a marker is ACROSS pixels of the image where there is room.
const ACROSS = 9;
const LEAST = 3;
const MOST = 24;
const CROWDED = 0.6;
const ROOM = 8;
const REACH = 14;
const CLOSE_UP = 16;

const shown = data.classes.map(() => true);
let pointed = -1;
let kept = -1;
let every = 1;

const viewer = OpenSeadragon({
  element: $('view'),
  drawer: 'canvas',
  showNavigationControl: false,
  imageSmoothingEnabled: false,
  maxZoomPixelRatio: 40,
  visibilityRatio: 0.2,
  animationTime: 0.4,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  gestureSettingsTouch: { clickToZoom: false },
});

/* Lay a picture where it belongs, over what is there. */
function lay(each) {
  return new Promise((resolve, reject) => {
    const url = URL.createObjectURL(new Blob([bytes(each.png)], { type: 'image/png' }));
    const height = (each.width * each.rows) / (each.step * columnsOf(each));
    viewer.addTiledImage({
      tileSource: { type: 'image', url },
      width: each.width,
      x: each.middle[0] - each.width / 2,
      y: each.middle[1] - height / 2,
      degrees: each.turn,
      success: ({ item }) => { each.item = item; resolve(); },
      error: ({ message }) => reject(new Error(message)),
    });
  });
}

function open() {
  return Promise.all(data.images.map(lay)).then(() => viewer.viewport.goHome(true));
}

/* Show or hide a layer; it is laid when it is first wanted, and needs no memory before. */
function switchLayer(layer, on) {
  if (on && !layer.laid) layer.laid = Promise.all(layer.pictures.map(lay));
  layer.on = on;
  return Promise.resolve(layer.laid).then(() => {
    for (const { item } of layer.pictures) item?.setOpacity(layer.on ? layer.opacity : 0);
  });
}

// The width of an image in its own pixels, of which PNG says how many there are.
function columnsOf(each) {
  return new DataView(bytes(each.png.slice(0, 44)).buffer).getUint32(16);
}

/* Where places of the picture are on the screen: screen = place * scale + (dx, dy). */
function view() {
  const origin = viewer.viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
  const unit = viewer.viewport.pixelFromPoint(new OpenSeadragon.Point(1, 0), true);
  return { scale: unit.x - origin.x, dx: origin.x, dy: origin.y };
}

const colour = (each) => each.colours[$('palette').checked ? 1 : 0];

/* Pixels of the screen that the images would cover if it were large enough. */
function imageArea(scale) {
  return data.images.reduce((sum, { item }) => {
    const box = item.getBoundsNoRotate(true);
    return sum + scale * scale * box.width * box.height;
  }, 0);
}

function markerSize(scale) {
  const number = counts.reduce((sum, count, i) => sum + (shown[i] ? count : 0), 0);
  const apart = Math.sqrt((every * imageArea(scale)) / Math.max(1, number));
  const least = Math.min(Math.max(CROWDED * apart, LEAST), MOST / 2);
  return Math.min(Math.max(ACROSS * scale, least), MOST);
}

/* The markers within the screen, of classes that are shown. */
function withinView({ scale, dx, dy }, width, height) {
  const found = [];
  for (let i = 0; i < n; i += 1) {
    if (shown[kind[i]]) {
      const [px, py] = [left[i] * scale + dx, down[i] * scale + dy];
      if (px > -MOST && py > -MOST && px < width + MOST && py < height + MOST) found.push(i);
    }
  }
  return found;
}

/* Thin out: of rows that follow each other one stays, the same at each zoom. */
function thin(found, scale, width, height) {
  const room = Math.min(imageArea(scale), width * height) / ROOM ** 2;
  every = 2 ** Math.max(0, Math.ceil(Math.log2(found.length / room)));
  $('status').textContent = every > 1 ? `One of ${every} markers is drawn; zoom in for the others.` : '';
  return found.filter((i) => i % every === 0 || i === kept);
}

function draw() {
  if (data.images.some(({ item }) => !item)) return;
  const canvas = $('marks');
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const where = view();
  const { scale, dx, dy } = where;
  const found = thin(withinView(where, width, height), scale, width, height);
  const size = markerSize(scale);
  const paths = data.classes.map(() => new Path2D());
  for (const i of found) {
    const shape = shapeOf(data.classes[kind[i]]);
    shape(paths[kind[i]], left[i] * scale + dx, down[i] * scale + dy, size / 2);
  }
  data.classes.forEach((each, i) => paint(context, each, colour(each), paths[i], size));
  placeRing();
}

function placeRing() {
  const i = pointed >= 0 ? pointed : kept;
  const hidden = i < 0 || !shown[kind[i]];
  $('ring').hidden = hidden;
  if (hidden) return;
  const { scale, dx, dy } = view();
  $('ring').style.left = `${left[i] * scale + dx}px`;
  $('ring').style.top = `${down[i] * scale + dy}px`;
}

/* The marker that is nearest to a place on the screen, or -1. */
function nearest(px, py) {
  const { scale, dx, dy } = view();
  let best = REACH * REACH;
  let found = -1;
  for (let i = 0; i < n; i += 1) {
    const distance = (left[i] * scale + dx - px) ** 2 + (down[i] * scale + dy - py) ** 2;
    if (distance < best && shown[kind[i]] && i % every === 0) {
      best = distance;
      found = i;
    }
  }
  return found;
}

function tell() {
  const i = pointed >= 0 ? pointed : kept;
  $('card').hidden = i < 0;
  $('hint').hidden = i >= 0;
  placeRing();
  if (i < 0) return;
  const flags = data.flags.filter(([bit]) => bits[i] & bit);
  const facts = [
    ['id', data.ids[i]],
    ['class', data.classes[kind[i]].name],
    ['position', `${x[i].toFixed(2)}, ${y[i].toFixed(2)}`],
    ['image', data.images[image[i]].name],
  ];
  if (ra && Number.isFinite(ra[i])) facts.push(['sky', `${ra[i].toFixed(6)}, ${dec[i].toFixed(6)}`]);
  facts.push(['flags', flags.map(([, name]) => name).join(', ') || 'none']);
  $('card').querySelector('dl').replaceChildren(...facts.flatMap(([term, value]) => {
    const pair = [document.createElement('dt'), document.createElement('dd')];
    pair[0].textContent = term;
    pair[1].textContent = value;
    if (term === 'flags') pair[1].title = flags.map(([, name, meaning]) => `${name}: ${meaning}`).join('\n');
    return pair;
  }));
  const body = $('card').querySelector('tbody');
  body.replaceChildren();
  data.shareNames.forEach((name, k) => {
    const share = shares[i * data.shareNames.length + k];
    const row = body.insertRow();
    row.insertCell().textContent = name;
    const meter = document.createElement('meter');
    meter.value = Number.isFinite(share) ? share : 0;
    meter.setAttribute('aria-label', `probability of ${name}`);
    row.insertCell().append(meter);
    const number = row.insertCell();
    number.className = 'number';
    number.textContent = Number.isFinite(share) ? share.toFixed(4) : '-';
  });
}

/* The pixel of an image under a place on the screen. */
function cursorText(px, py) {
  const point = viewer.viewport.pointFromPixel(new OpenSeadragon.Point(px, py), true);
  for (const { item, name, step, height, rows, mirrored } of data.images) {
    const pixel = item.viewportToImageCoordinates(point, true);
    const column = pixel.x * step - 0.5;
    const row = mirrored ? pixel.y * step - 0.5 : rows - pixel.y * step - 0.5;
    const width = item.getContentSize().x * step;
    if (column > -0.5 && column < width - 0.5 && row > -0.5 && row < height - 0.5) {
      return `${name}  x ${column.toFixed(1)}  y ${row.toFixed(1)}`;
    }
  }
  return '';
}

function showClasses() {
  $('classes').replaceChildren(...data.classes.map((each, i) => {
    const line = document.createElement('li');
    const label = document.createElement('label');
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = shown[i];
    box.addEventListener('change', () => { shown[i] = box.checked; refresh(); });
    const number = document.createElement('span');
    number.className = 'number';
    number.textContent = counts[i];
    label.append(box, glyphOf(each, colour(each)), each.name, number);
    line.append(label);
    return line;
  }));
}

function showLayers() {
  $('map').hidden = !data.layers.length;
  $('layers').replaceChildren(...data.layers.map((layer) => {
    const line = document.createElement('li');
    const label = document.createElement('label');
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = Boolean(layer.on);
    box.addEventListener('change', () => switchLayer(layer, box.checked));
    const patch = document.createElement('i');
    patch.style.background = layer.colour;
    const share = document.createElement('span');
    share.className = 'number';
    share.textContent = layer.said;
    label.append(box, patch, layer.name, share);
    line.append(label);
    return line;
  }));
}

function switchLayers(on) {
  const switched = Promise.all(data.layers.map((layer) => switchLayer(layer, on)));
  showLayers();
  return switched;
}

function refresh() {
  if (kept >= 0 && !shown[kind[kept]]) kept = -1;
  pointed = -1;
  showClasses();
  tell();
  draw();
}

function showAll(on) {
  shown.fill(on);
  refresh();
}

function goTo(id) {
  const i = data.ids.indexOf(id.trim());
  if (i < 0) {
    $('status').textContent = `No detection has the id ${id}.`;
    return;
  }
  shown[kind[i]] = true;
  kept = i;
  refresh();
  const { scale } = view();
  viewer.viewport.panTo(new OpenSeadragon.Point(left[i], down[i]), true);
  if (scale < CLOSE_UP / 2) viewer.viewport.zoomBy(CLOSE_UP / scale, undefined, true);
  viewer.viewport.applyConstraints(true);
  tell();
}

$('view').addEventListener('pointermove', (event) => {
  const box = $('marks').getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  pointed = nearest(px, py);
  $('cursor').textContent = cursorText(px, py);
  tell();
}, true);
$('view').addEventListener('pointerleave', () => {
  pointed = -1;
  $('cursor').textContent = '';
  tell();
});
viewer.addHandler('canvas-click', ({ position, quick }) => {
  if (!quick) return;
  kept = nearest(position.x, position.y);
  tell();
});
for (const name of ['update-viewport', 'resize', 'animation']) viewer.addHandler(name, draw);
$('in').addEventListener('click', () => viewer.viewport.zoomBy(1.6));
$('out').addEventListener('click', () => viewer.viewport.zoomBy(1 / 1.6));
$('fit').addEventListener('click', () => viewer.viewport.goHome());
$('all').addEventListener('click', () => showAll(true));
$('none').addEventListener('click', () => showAll(false));
$('every-layer').addEventListener('click', () => switchLayers(true));
$('no-layer').addEventListener('click', () => switchLayers(false));
$('palette').addEventListener('change', refresh);
$('find').addEventListener('submit', (event) => {
  event.preventDefault();
  goTo(event.target.elements.id.value);
});

$('summary').textContent = `${n} detections`;
showClasses();
showLayers();
const opened = open().then(draw);
opened.catch((error) => { $('status').textContent = error.message; });
