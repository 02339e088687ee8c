'use strict';

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const textCell = (value) => element('td', {}, String(value));
const numberCell = (value, unit = '') =>
  element('td', { class: 'number' }, value.toLocaleString('en') + unit);

/* Put a table into a section, which is hidden where there is nothing to say. */
function fill(id, rows, cells) {
  const section = document.getElementById(id);
  section.hidden = !rows.length;
  const lines = rows.map((row) => element('tr', {}, ...cells(...row)));
  section.append(element('div', { class: 'scroll' }, element('table', {}, ...lines)));
}
