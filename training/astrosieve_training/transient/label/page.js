'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const storageKey = `astrosieve-labels-${data.key}`;
const sheet = document.getElementById('sheet');
const status = document.getElementById('status');
const labels = new Map(Object.entries(data.labels));
const done = [];
const cards = [];
let here = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function say(text) {
  const counts = { real: 0, bogus: 0, unsure: 0 };
  for (const label of labels.values()) if (label in counts) counts[label] += 1;
  const told = Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(', ');
  const left = data.candidates.filter((each) => !labels.has(each.id)).length;
  status.textContent = `${told}, ${left} left. ${text || ''}`;
}

function show(number) {
  const { id } = data.candidates[number];
  const label = labels.get(id) || '';
  cards[number].dataset.label = label;
  cards[number].querySelector('.said').textContent = label;
}

function go(number) {
  if (!cards.length) return;
  cards[here].classList.remove('here');
  cards[here].setAttribute('aria-selected', 'false');
  here = Math.min(Math.max(number, 0), cards.length - 1);
  cards[here].classList.add('here');
  cards[here].setAttribute('aria-selected', 'true');
  cards[here].scrollIntoView({ block: 'nearest' });
  sheet.setAttribute('aria-activedescendant', cards[here].id);
}

function keep() {
  try {
    localStorage.setItem(storageKey, JSON.stringify([...labels]));
  } catch {
    say('This browser keeps nothing: save the labels before you close the page.');
  }
}

function set(id, label) {
  if (label) labels.set(id, label);
  else labels.delete(id);
}

function put(label) {
  if (!cards.length) return;
  const { id } = data.candidates[here];
  done.push([here, labels.get(id)]);
  set(id, label);
  show(here);
  go(here + 1);
  say();
  keep();
}

function undo() {
  if (!done.length) return;
  const [number, label] = done.pop();
  set(data.candidates[number].id, label);
  show(number);
  go(number);
  say();
  keep();
}

function quoted(text) {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save() {
  const rows = data.candidates
    .filter((each) => labels.has(each.id))
    .map((each) => `${quoted(each.id)},${labels.get(each.id)}`);
  const file = new Blob([`id,label\n${rows.join('\n')}\n`], { type: 'text/csv' });
  const url = URL.createObjectURL(file);
  element('a', { href: url, download: 'labels.csv' }).click();
  URL.revokeObjectURL(url);
  say('Saved labels.csv to the folder of downloads.');
}

function load(text) {
  const known = new Set(data.candidates.map((each) => each.id));
  let read = 0;
  for (const line of text.split(/\r?\n/).slice(1)) {
    const cut = line.lastIndexOf(',');
    if (cut < 0) continue;
    const id = line.slice(0, cut).replace(/^"(.*)"$/, '$1').replaceAll('""', '"');
    if (!known.has(id)) continue;
    labels.set(id, line.slice(cut + 1).trim());
    read += 1;
  }
  cards.forEach((_, number) => show(number));
  say(`${read} labels read.`);
  keep();
}

function columns() {
  return getComputedStyle(sheet).gridTemplateColumns.split(' ').length;
}

data.candidates.forEach((each, number) => {
  const about = each.p === null ? '' : `p ${each.p.toFixed(2)}`;
  const card = element(
    'div', { class: 'card', role: 'option', id: `c${number}`, 'aria-selected': 'false' },
    element('img', { src: each.image, alt: `Three stamps of ${each.id}` }),
    element(
      'div', {}, element('span', { class: 'id', title: each.id }, each.id),
      element('span', { class: 'said' }), element('span', {}, about),
    ),
  );
  card.addEventListener('click', () => go(number));
  cards.push(card);
  sheet.append(card);
});

const keys = { r: 'real', b: 'bogus', u: 'unsure', Backspace: '', Delete: '' };
const moves = {
  ArrowRight: () => here + 1, ArrowLeft: () => here - 1,
  ArrowDown: () => here + columns(), ArrowUp: () => here - columns(),
  Home: () => 0, End: () => cards.length - 1,
};
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in keys) put(keys[key]);
  else if (key === 'z') undo();
  else if (key in moves) go(moves[key]());
  else return;
  event.preventDefault();
});
document.getElementById('undo').addEventListener('click', undo);
document.getElementById('save').addEventListener('click', save);
const file = document.getElementById('file');
document.getElementById('load').addEventListener('click', () => file.click());
file.addEventListener('change', async () => {
  if (file.files.length) load(await file.files[0].text());
  file.value = '';
});

try {
  const kept = JSON.parse(localStorage.getItem(storageKey) || '[]');
  for (const [id, label] of kept) labels.set(id, label);
} catch {
  localStorage.removeItem(storageKey);
}
cards.forEach((_, number) => show(number));
go(data.candidates.findIndex((each) => !labels.has(each.id)));
sheet.focus();
say();
