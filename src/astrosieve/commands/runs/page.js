'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const hidden = new Set();

document.getElementById('summary').textContent = data.summary;
fill('failures', data.failures, (input, error) => [textCell(input), textCell(error)]);
fill('warnings', data.warnings, (said, n) => [numberCell(n), textCell(said)]);
fill('slow', data.slow, (input, seconds) => [numberCell(seconds, ' s'), textCell(input)]);
fill('made', data.made, (name, value) => [textCell(name), textCell(value)]);

/* The switch of a class, where there are images in which it is drawn. */
function classCell(name) {
  if (!data.sheet) return textCell(name);
  const box = element('input', { type: 'checkbox' });
  box.checked = true;
  box.addEventListener('change', () => {
    if (box.checked) hidden.delete(name);
    else hidden.add(name);
    drawAll();
  });
  const marker = data.sheet.markers[name];
  return element('td', {}, element('label', {}, box, glyphOf(marker, marker.colour), name));
}

const most = Math.max(...data.classes.map(([, n]) => n), 1);
fill('classes', data.classes, (name, n) => [
  classCell(name), numberCell(n), element('td', {}, element('meter', { value: n, max: most })),
]);

const sure = document.getElementById('sure');
const highest = Math.max(...data.sure);
sure.hidden = !highest;
data.sure.forEach((n, k) => {
  const low = (k / data.sure.length).toFixed(2);
  const bar = { style: `height: ${(100 * n) / (highest || 1)}%`, title: `from ${low}: ${n}` };
  sure.querySelector('div').append(element('i', bar));
});
sure.append(element('p', {}, element('span', {}, '0'), element('span', {}, '1')));

const doubts = document.getElementById('doubts');
doubts.hidden = !data.doubts.length;
for (const { name, said, rivals, flags, picture } of data.doubts) {
  const shown = picture
    ? element('img', { src: picture, alt: `pixels of ${name}` })
    : element('span', { class: 'none' }, 'no picture');
  const caption = element('figcaption', {}, element('b', {}, said), ` ${name}`);
  const against = rivals.map(([rival, p]) => `${rival} ${p.toFixed(2)}`).join(' or ');
  if (against) caption.append(element('br'), against);
  if (flags.length) {
    caption.append(element('div', {}, ...flags.map(([flag, meaning]) => element('span', { class: 'tag', title: meaning }, flag))));
  }
  doubts.querySelector('.pictures').append(element('figure', {}, shown, caption));
}

/* Draw what was found in an image, in classes that are shown, over its picture. */
function drawOver({ canvas, width, height, marks }) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  const across = canvas.clientWidth / width;
  const down = canvas.clientHeight / height;
  const paths = {};
  for (const [x, y, name] of marks) {
    paths[name] ??= new Path2D();
    const place = [(x + 0.5) * across, canvas.clientHeight - (y + 0.5) * down];
    shapeOf(data.sheet.markers[name])(paths[name], ...place, 3.5);
  }
  for (const [name, path] of Object.entries(paths)) {
    const marker = data.sheet.markers[name];
    if (!hidden.has(name)) paint(context, marker, marker.colour, path, 7);
  }
}

const drawAll = () => data.sheet.images.forEach(drawOver);
const sheet = document.getElementById('sheet');
sheet.hidden = !data.sheet;
if (data.sheet) {
  sheet.querySelector('p').textContent = data.sheet.said;
  for (const each of data.sheet.images) {
    each.canvas = element('canvas');
    const held = element('div', { class: 'drawn' }, element('img', { src: each.picture, alt: each.name }), each.canvas);
    sheet.querySelector('.pictures').append(element('figure', {}, held, element('figcaption', {}, element('b', {}, each.name), ` ${each.said}`)));
  }
  window.addEventListener('load', drawAll);
  window.addEventListener('resize', drawAll);
}
