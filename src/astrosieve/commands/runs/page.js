'use strict';

const data = JSON.parse(document.getElementById('data').textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function fill(id, rows, cells) {
  const section = document.getElementById(id);
  section.hidden = !rows.length;
  const lines = rows.map((row) => element('tr', {}, ...cells(...row)));
  section.append(element('table', {}, ...lines));
}

const text = (value) => element('td', {}, String(value));
const number = (value, unit = '') =>
  element('td', { class: 'number' }, value.toLocaleString('en') + unit);

document.getElementById('summary').textContent = data.summary;
document.getElementById('options').textContent = data.options;
fill('failures', data.failures, (input, error) => [text(input), text(error)]);
fill('warnings', data.warnings, (said, n) => [number(n), text(said)]);
fill('slow', data.slow, (input, seconds) => [number(seconds, ' s'), text(input)]);

const most = Math.max(...data.classes.map(([, n]) => n), 1);
fill('classes', data.classes, (name, n) => [
  text(name), number(n), element('td', {}, element('meter', { value: n, max: most })),
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
for (const { name, said, picture } of data.doubts) {
  const shown = picture
    ? element('img', { src: picture, alt: '' })
    : element('span', {}, 'no picture');
  const caption = element('figcaption', {}, element('b', {}, said), ` ${name}`);
  doubts.querySelector('div').append(element('figure', {}, shown, caption));
}
