'use strict';

const told = data.report;

/* A picture that leads to its detection. */
function picture(url, id, said) {
  const inside = url
    ? element('img', { src: url, alt: `pixels about ${said}` })
    : element('span', { class: 'none' }, 'no picture');
  const button = element('button', { class: 'picture', title: `Show ${said} in the image` }, inside);
  button.disabled = !id;
  button.addEventListener('click', () => {
    goTo(id);
    $('plot').scrollIntoView({ block: 'nearest' });
  });
  return button;
}

function doubt({ id, class: name, rivals, flags, picture: url }) {
  const against = rivals.map(([rival, p]) => `${rival} ${p.toFixed(2)}`).join(' or ');
  const tags = flags.map(([flag, meaning]) => element('span', { class: 'tag', title: meaning }, flag.replaceAll('_', ' ')));
  const caption = element('figcaption', {}, element('b', {}, `${id}: ${name}`), element('br'), against);
  if (tags.length) caption.append(element('div', {}, ...tags));
  return element('figure', {}, picture(url, id, `detection ${id}`), caption);
}

const SVG = 'http://www.w3.org/2000/svg';
function drawn(name, attributes, text = '') {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/* The light of the stars against the distance from their middle. */
function profile(points, fwhm) {
  const [width, height, left, top, low] = [520, 220, 44, 8, 34];
  const far = Math.max(...points.map(([r]) => r));
  const most = Math.max(...points.map(([, light]) => light));
  const least = -0.08 * most;
  const px = (r) => left + (r / far) * (width - left - 8);
  const py = (light) => top + ((most - Math.max(light, least)) / (most - least)) * (height - top - low);
  const figure = drawn('svg', {
    viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': `Light of the stars against the distance from their middle; half of the FWHM of ${fwhm.toFixed(2)} pixels is marked`,
  });
  figure.append(drawn('line', { x1: left, x2: width - 8, y1: py(0), y2: py(0) }));
  for (const [r, light] of points) figure.append(drawn('circle', { cx: px(r).toFixed(1), cy: py(light).toFixed(1), r: 1.6 }));
  figure.append(drawn('line', { class: 'half', x1: px(fwhm / 2), x2: px(fwhm / 2), y1: top, y2: height - low }));
  figure.append(drawn('text', { x: px(fwhm / 2) + 5, y: top + 12 }, 'FWHM / 2'));
  for (let r = 0; r <= far; r += Math.max(1, Math.round(far / 6))) {
    figure.append(drawn('text', { x: px(r), y: height - 18, 'text-anchor': 'middle' }, String(r)));
  }
  figure.append(drawn('text', { x: (left + width) / 2, y: height - 3, 'text-anchor': 'middle' }, 'pixels from the middle'));
  for (const light of [0, most / 2, most]) {
    figure.append(drawn('text', { x: left - 5, y: py(light) + 4, 'text-anchor': 'end' }, light.toFixed(2)));
  }
  return figure;
}

for (const { name, fwhm, said, stars, profile: points } of told.psf) {
  const width = fwhm === null ? 'not known' : `FWHM ${fwhm.toFixed(2)} pixels`;
  $('psf').append(element('p', {}, element('b', {}, width), ` ${said}. `, element('span', { class: 'hint' }, name)));
  const shown = stars.map(({ picture: url, id, place }) => picture(url, id, id ? `detection ${id}` : `the star at ${place}`));
  if (shown.length) $('psf').append(element('div', { class: 'pictures' }, ...shown));
  if (points.length) {
    $('psf').append(profile(points, fwhm), element('p', { class: 'hint' }, 'Pixels of the brightest of these stars, as shares of the light in 5x5 pixels.'));
  }
}

$('doubts').querySelector('p').textContent = told.doubts.length
  ? `The likeliest class of ${told.doubtful} of ${n} detections has a probability below ${told.sure}. The least sure of them, with the classes that compete; a picture leads to its place.`
  : `The likeliest class of every detection that has one has a probability of ${told.sure} or more.`;
$('doubts').querySelector('.pictures').append(...told.doubts.map(doubt));

$('warnings').hidden = !told.warnings.length;
$('warnings').append(...told.warnings.map((text) => element('p', {}, text)));

const { images: chips, rows } = told.counts;
const total = (numbers) => numbers.reduce((sum, each) => sum + each, 0);
const many = chips.length > 1;
fill('counts', rows, (name, ...numbers) => [
  textCell(name), ...numbers.map((each) => numberCell(each)), ...(many ? [numberCell(total(numbers))] : []),
]);
if (many) {
  const head = ['', ...chips, 'all'].map((text, i) => element('th', i ? { class: 'number' } : {}, text));
  $('counts').querySelector('table').prepend(element('tr', {}, ...head));
}
fill('flags', told.flags, (name, number, meaning) => [textCell(name.replaceAll('_', ' ')), numberCell(number), textCell(meaning)]);
fill('facts', told.facts, (name, value) => [textCell(name), textCell(value)]);
fill('provenance', told.provenance, (name, value) => [textCell(name), textCell(value)]);
const verdict = told.facts.find(([name]) => name === 'verdict');
if (verdict) $('summary').textContent += `; ${verdict[1]}`;
