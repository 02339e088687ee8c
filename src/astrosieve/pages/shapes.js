'use strict';

const turned = (path, x0, y0, radius, corners, start) => {
  for (let k = 0; k <= corners; k += 1) {
    const angle = start + (2 * Math.PI * k) / corners;
    const place = [x0 + radius * Math.cos(angle), y0 + radius * Math.sin(angle)];
    if (k) path.lineTo(...place);
    else path.moveTo(...place);
  }
};
const strokes = (path, x0, y0, radius, arms, start) => {
  for (let k = 0; k < arms; k += 1) {
    const angle = start + (2 * Math.PI * k) / arms;
    path.moveTo(x0, y0);
    path.lineTo(x0 + radius * Math.cos(angle), y0 + radius * Math.sin(angle));
  }
};
/* Shapes, by what matplotlib calls them; what is not here is a circle. */
const SHAPES = {
  o: (path, x0, y0, r) => { path.moveTo(x0 + r, y0); path.arc(x0, y0, r, 0, 2 * Math.PI); },
  D: (path, x0, y0, r) => turned(path, x0, y0, 1.2 * r, 4, 0),
  s: (path, x0, y0, r) => turned(path, x0, y0, 1.3 * r, 4, Math.PI / 4),
  p: (path, x0, y0, r) => turned(path, x0, y0, r, 5, -Math.PI / 2),
  h: (path, x0, y0, r) => turned(path, x0, y0, r, 6, Math.PI / 2),
  '^': (path, x0, y0, r) => turned(path, x0, y0, 1.2 * r, 3, -Math.PI / 2),
  v: (path, x0, y0, r) => turned(path, x0, y0, 1.2 * r, 3, Math.PI / 2),
  x: (path, x0, y0, r) => strokes(path, x0, y0, 1.2 * r, 4, Math.PI / 4),
  '+': (path, x0, y0, r) => strokes(path, x0, y0, r, 4, 0),
  1: (path, x0, y0, r) => strokes(path, x0, y0, r, 3, Math.PI / 2),
  '.': (path, x0, y0, r) => { path.moveTo(x0 + r / 2, y0); path.arc(x0, y0, r / 2, 0, 2 * Math.PI); },
};

const shapeOf = (each) => SHAPES[each.shape] ?? SHAPES.o;

/* Draw markers of a class that are on one path, each so many pixels across. */
function paint(context, each, colour, path, size) {
  context.lineWidth = Math.min(2, Math.max(1, size / 8));
  context.strokeStyle = colour;
  context.fillStyle = colour;
  if (each.shape === '.') context.fill(path);
  else context.stroke(path);
}

/* The marker of a class by itself, on a small canvas, for lists of classes. */
function glyphOf(each, colour) {
  const glyph = document.createElement('canvas');
  glyph.className = 'glyph';
  glyph.width = 44;
  glyph.height = 44;
  const path = new Path2D();
  shapeOf(each)(path, 11, 11, 6);
  const context = glyph.getContext('2d');
  context.scale(2, 2);
  paint(context, each, colour, path, 13);
  return glyph;
}
