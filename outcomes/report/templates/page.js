'use strict';
/* What a reader can choose: type, comparator, visit and outcome. Every word and number comes from
   the page's data; nothing is computed or rounded here. Without this script the page says the
   declared comparison. */
const one = (query, root = document) => root.querySelector(query);
const all = (query, root = document) => [...root.querySelectorAll(query)];
let D, S;

/* ---- what stands in the page compressed: gzip as base 85, as Python writes it ---- */
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';
async function unpack(id) {
  const part = document.getElementById(id), text = part.textContent;
  const value = new Uint8Array(128);
  [...DIGITS].forEach((char, k) => { value[char.charCodeAt(0)] = k; });
  const bytes = new DataView(new ArrayBuffer(text.length / 5 * 4));
  for (let k = 0, at = 0; k < text.length; k += 5, at += 4) {
    let group = 0;
    for (let j = k; j < k + 5; j += 1) group = group * 85 + value[text.charCodeAt(j)];
    bytes.setUint32(at, group);
  }
  const packed = bytes.buffer.slice(0, Number(part.dataset.bytes));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}
const chosenKey = {};
const words = place => D.strings[place];
const slotOf = id => D.types.findIndex(type => type.id === id);
const placeOf = id => D.visits.findIndex(visit => visit.id === id);
const outcomeOf = id => D.outcomes.find(outcome => outcome.id === id);
const visitNow = () => D.visits[placeOf(S.v)];

/* ---- elements: text always as text, never as markup ---- */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat().filter(child => child !== null));
  return node;
}
const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const g = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const use = (name, at = {}) => g('use', {href: `#${name}`, ...at});
const say = (name, text, root = document) => all(`[data-r=${name}]`, root).forEach(node => { node.textContent = text; });

function typeName(slot, short = false) {
  const type = D.types[slot];
  const swatch = g('svg', {class: 'sw', 'aria-hidden': 'true'}, use(`b${slot}`, {x: 7, y: 7}));
  return h('span', {class: `ty kt${slot}`}, swatch, (short ? type.short : type.name).replaceAll(' + ', '\u00a0+ '));
}
function bars(level) {
  return g('svg', {class: 'bars', 'aria-hidden': 'true'}, use(`v${level}`));
}
function rowPicture(css, mark, behind, scale, estimate, low, high) {
  const drawn = g('svg', {class: `row ${css}`, width: '100%', height: '100%', 'aria-hidden': 'true'}, use(behind));
  if (estimate === null || estimate === undefined) return drawn;
  const at = value => `${Math.min(100, Math.max(0, 100 * (value - scale.low) / (scale.high - scale.low)))}%`;
  const cut = value => value < scale.low || value > scale.high;
  drawn.append(g('line', {class: 'i', x1: at(low), x2: at(high), y1: '50%', y2: '50%'}));
  for (const [value, side] of [[low, -1], [high, 1]])
    drawn.append(use(cut(value) ? `cut${side}` : 'cap', {x: at(value), y: '50%'}));
  drawn.append(mark === null ? g('circle', {class: 'm', cx: at(estimate), cy: '50%', r: 4.4})
    : use(mark, {x: at(estimate), y: '50%'}));
  return drawn;
}

/* ---- comparisons ---- */
function read(outcome, exposure, reference, visit) {
  const row = outcome.reads[`${exposure}|${reference}|${visit}`];
  const [code, level, short, more, n, estimate, low, high, said, interval, amount, turned] = row;
  return {code, level, n, estimate, low, high, said, interval, amount, sizeInterval: turned ?? interval,
    shown: row.length > 5, short: words(short), more: words(more)};
}
const verdict = found => (found.shown && found.more ? `${found.short}: ${found.more}` : found.short);
/* An amount without the bracket of its unit, to stand before a bracket. */
const plainly = amount => amount && amount.replace(/ \([^)]*\)/, '');
/* An interval and its brackets stay on one line. */
const unbroken = interval => interval.replaceAll(' ', '\u00a0');
const kept = text => text.replace(/\([^()]* to [^()]*\)/g, unbroken);
const others = () => D.types.map((_, slot) => slot).filter(slot => slot !== slotOf(S.c));
const format = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function lowered(text) {
  const head = text.split(' ', 1)[0];
  return head.length > 1 && head.slice(1) !== head.slice(1).toLowerCase() ? text : text[0].toLowerCase() + text.slice(1);
}

/* ---- the control bar ---- */
function drawBar() {
  for (const name of 'fcvo') one(`#pick-${name}`).value = S[name];
  const outcome = outcomeOf(S.o);
  const found = read(outcome, slotOf(S.f), slotOf(S.c), placeOf(S.v));
  const type = D.types[slotOf(S.f)].name;
  const reference = D.types[slotOf(S.c)].phrase;
  const result = found.shown ? found.amount : lowered(found.short);
  say('folded', `${type} against ${reference}, ${lowered(outcome.name)}, ${visitNow().phrase}: ${result}`);
  say('at', visitNow().at.startsWith('at ') ? 'at' : '');
  const detail = found.shown ? `${D.templates.level} interval ${found.sizeInterval} · ${lowered(found.short)}` : found.more;
  one('[data-r=read]').replaceChildren(bars(found.level),
    h('span', {}, h('b', {}, found.shown ? found.amount : found.short), h('br'), detail));
}

/* ---- one outcome ---- */
function drawOutcome(section) {
  const outcome = outcomeOf(section.dataset.o);
  const reference = slotOf(S.c), visit = placeOf(S.v);
  say('title', outcome.titles[`${reference}|${visit}`], section);
  say('reference', D.types[reference].phrase, section);
  say('visit', visitNow().at, section);
  drawLead(section, outcome, reference, visit);
  drawForest(section, outcome, reference, visit);
  drawVisits(section, outcome, reference);
  if (outcome.responders) drawDots(section, outcome, visit);
}
function drawLead(section, outcome, reference, visit) {
  const found = read(outcome, slotOf(S.f), reference, visit);
  const said = format(D.templates.sentences[found.code], {exposure: D.types[slotOf(S.f)].phrase, reference: D.types[reference].phrase,
    amount: plainly(found.amount), interval: found.sizeInterval, reason: found.more});
  say('lead', `${outcome.shared[visit]} ${kept(said)}`.trim(), section);
}
const hatch = () => h('i', {class: 'hat'}, 'hidden');
const hatched = text => text.split('\u25a8').flatMap((part, k) => (k ? [hatch(), part] : [part]));
function sure(found) {
  return h('span', {class: 'cert'}, bars(found.level),
    h('span', {}, found.short, found.shown && found.more ? h('small', {}, found.more) : null));
}
function drawForest(section, outcome, reference, visit) {
  const rows = others().map(slot => [slot, read(outcome, slot, reference, visit)]);
  const none = rows.every(([, found]) => !found.shown);
  const empty = one('[data-r=none]', section);
  empty.hidden = !none;
  empty.textContent = none ? `No difference can be shown at this visit: ${rows[0][1].more}.` : '';
  one('.forest', section).hidden = none;
  one('[data-r=forest]', section).replaceChildren(...rows.map(([slot, found]) => h('tr', {},
    h('th', {scope: 'row'}, typeName(slot), h('small', {}, hatched(found.n))),
    h('td', {class: 'pic'}, rowPicture(`k${slot}`, `a${slot}`, `forest-${outcome.id}`, outcome.scale,
      found.shown ? found.estimate : null, found.low, found.high),
      found.shown ? null : h('span', {class: 'why'}, 'not shown')),
    h('td', {class: 'est'}, ...(found.shown ? [h('b', {}, found.said), ' ', h('span', {}, `(${found.interval})`)]
      : [h('span', {class: 'rs'}, found.more)])),
    h('td', {class: 'wd'}, sure(found)))));
}
function drawVisits(section, outcome, reference) {
  const row = (slot, visit) => {
    const found = read(outcome, slot, reference, visit);
    const [mean, n] = outcome.means[slot][visit];
    return h('tr', visit === placeOf(S.v) ? {class: 'hl'} : {},
      h('th', {scope: 'row'}, typeName(slot)), h('td', {class: 'v'}, D.visits[visit].name),
      h('td', {class: 'm'}, mean), h('td', {class: 'e'}, found.shown ? found.said : '–'),
      h('td', {class: 'i'}, found.shown ? found.interval : '–'), h('td', {class: 'k'}, hatched(n)),
      h('td', {class: 'w'}, bars(found.level), h('span', {}, verdict(found))));
  };
  one('[data-r=visits]', section).replaceChildren(
    ...others().flatMap(slot => D.visits.map((_, visit) => row(slot, visit))));
}
function shareOf(responders, visit, key, slot) {
  const found = responders.shares[`${visit}|${key}|${slot}`];
  return found ? {estimate: found[0], low: found[1], high: found[2], said: words(found[3]), why: words(found[4])}
    : {estimate: null, said: 'not estimated'};
}
function drawDots(section, outcome, visit) {
  const {keys, chosen, worse} = outcome.responders;
  const whole = foldCurve(section, outcome, visit);
  const key = whole ? keyAt(outcome, visit) : chosen;
  say('threshold', keys[key][1], section);
  one('[data-r=dots]', section).replaceChildren(...D.types.map((_, slot) => {
    const found = shareOf(outcome.responders, visit, key, slot);
    const drawn = rowPicture(`k${slot}`, `a${slot}`, 'shares', D.shares, found.estimate, found.low, found.high);
    return h('tr', {}, h('th', {scope: 'row'}, typeName(slot, true)), h('td', {class: 'pic'}, drawn, noShare(found)),
      h('td', {class: 'est'}, isShare(found) ? found.said : ''),
      worse === null ? null : worseCell(shareOf(outcome.responders, visit, worse, slot)));
  }));
}
const isShare = found => found.estimate !== null;
function noShare(found) {
  if (isShare(found)) return null;
  return found.said === 'hidden' ? hatch() : h('span', {class: 'why', title: found.why ?? ''}, found.said);
}
const worseCell = found => h('td', {class: 'est wo'}, isShare(found) ? found.said : noShare(found));
/* The thresholds that at least one type has a share for at a visit: the curve ends with them. */
const reached = (outcome, visit) => outcome.responders.plain.filter(key =>
  D.types.some((_, slot) => isShare(shareOf(outcome.responders, visit, key, slot))));
function keyAt(outcome, visit) {
  const key = chosenKey[outcome.id];
  return reached(outcome, visit).includes(key) ? key : outcome.responders.chosen;
}
/* A visit with one threshold has no curve to draw, and nothing to slide along. */
function foldCurve(section, outcome, visit) {
  const plain = reached(outcome, visit), curve = one('.curve', section);
  const whole = plain.length > 1;
  if (!curve) return whole;
  curve.hidden = !whole;
  curve.parentNode.classList.toggle('single', !whole);
  const slider = one('[data-r=slider]', curve);
  slider.max = Math.max(0, plain.length - 1);
  slider.value = Math.max(0, plain.indexOf(keyAt(outcome, visit)));
  slider.setAttribute('aria-valuetext', outcome.responders.keys[plain[slider.value] ?? outcome.responders.chosen][1]);
  return whole;
}
/* ---- the checks of the chosen comparison ---- */
function drawChecks() {
  const section = one('#checks');
  const outcome = outcomeOf(D.state.o);
  const key = `${slotOf(S.f)}|${slotOf(S.c)}|${placeOf(S.v)}`;
  const found = outcome.checks[key];
  if (!found) return;
  say('checks-title', words(found.title), section);
  say('checks-what', words(found.what), section);
  one('[data-r=checks]', section).replaceChildren(...found.rows.map(([label, sub, estimate, low, high, said, plain], k) => {
    const slot = slotOf(S.f), main = k === 0;
    return h('tr', plain ? {class: 'plainrow'} : {},
      h('th', {scope: 'row'}, main ? h('b', {class: `kt${slot}`}, words(label)) : words(label), h('small', {}, words(sub))),
      h('td', {class: 'pic'}, rowPicture(main ? `k${slot}` : 'kink', main ? `a${slot}` : null,
        `forest-${outcome.id}`, outcome.scale, estimate, low, high)),
      h('td', {class: 'est'}, kept(said)));
  }));
}

/* ---- what follows the choice everywhere ---- */
function drawFollowers() {
  const pair = [slotOf(S.f), slotOf(S.c)].map(String);
  [document.documentElement.dataset.f, document.documentElement.dataset.c] = pair;
  all('[data-key]').forEach(key => key.setAttribute('aria-pressed', String(key.dataset.key === pair[0])));
  all('.stackset').forEach(set => { set.open = set.dataset.visit === S.v; });
}
function draw() {
  drawBar();
  all('.effect').forEach(drawOutcome);
  drawChecks();
  drawFollowers();
  redrawFigures();
}

/* ---- the state lives in the address ---- */
const isDeclared = () => Object.keys(D.state).every(name => S[name] === D.state[name]);
function writeAddress(anchor) {
  const state = isDeclared() ? '' : new URLSearchParams(S).toString();
  const target = [anchor, state].filter(Boolean).join('&');
  history.replaceState(null, '', target ? `#${target}` : location.pathname + location.search);
}
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const known = {f: D.types, c: D.types, v: D.visits, o: D.outcomes};
  for (const [name, list] of Object.entries(known))
    if (list.some(item => item.id === wanted.get(name))) S[name] = wanted.get(name);
  if (S.f === S.c) Object.assign(S, {f: D.state.f, c: D.state.c});
}
function choose(name, value) {
  const partner = {f: 'c', c: 'f'}[name];
  if (partner && S[partner] === value) S[partner] = S[name];
  S[name] = value;
  writeAddress('');
  draw();
}

/* ---- tools: the table under a figure as CSV, a link that keeps the choice ---- */
const cellText = cell => {
  const text = cell.innerText.replace(/\s+/g, ' ').trim().replace(/^\u2212(?=\d)/, '-');
  const safe = /^[=+@\t]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
};
function save(name, type, text) {
  const link = h('a', {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  URL.revokeObjectURL(link.href);
}
function saveTable(name) {
  const figure = document.getElementById(name);
  const fold = one('details.data', figure);
  const tables = all('table', fold ?? figure);
  const opened = all('details', figure).filter(part => !part.open);
  opened.forEach(part => { part.open = true; });
  const lines = tables.flatMap(table => [...table.rows].filter(row => !row.closest('tfoot'))
    .map(row => [...row.cells].map(cellText).join(',')));
  opened.forEach(part => { part.open = false; });
  save(`${name}.csv`, 'text/csv', `\ufeff${lines.join('\r\n')}\r\n`);
}
async function copyLink(name, button) {
  writeAddress(name);
  try { await navigator.clipboard.writeText(location.href); button.textContent = 'Copied'; }
  catch { button.textContent = 'In the address bar'; }
}
function addTools(place) {
  const name = place.dataset.tools;
  const button = (label, act) => {
    const made = h('button', {type: 'button', 'aria-label': `${label}: ${name}`}, label);
    made.addEventListener('click', () => act(made));
    return made;
  };
  const figure = document.getElementById(name);
  if (place.dataset.csv !== undefined) place.append(button('Data', () => saveTable(name)));
  if (figure.dataset.fig) place.append(button('Image', () => saveImage(figure)));
  place.append(button('Link', made => copyLink(name, made)));
}

/* ---- on a phone most figures start folded ---- */
function addFold(figure) {
  const button = h('button', {type: 'button', class: 'btn more'});
  const fold = folded => {
    figure.classList.toggle('folded', folded);
    button.textContent = folded ? 'Show' : 'Hide';
    button.setAttribute('aria-expanded', String(!folded));
  };
  button.setAttribute('aria-label', `${one('h3', figure).textContent}`);
  button.addEventListener('click', () => fold(!figure.classList.contains('folded')));
  one('.hd', figure).append(button);
  fold(true);
}
function addEvery(panels) {
  const button = h('button', {type: 'button', class: 'btn more'}, 'Show a panel for every type');
  button.addEventListener('click', () => { panels.classList.add('every'); button.remove(); });
  panels.after(button);
}

/* ---- light and dark, contents, phone ---- */
function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  one('#theme').textContent = dark ? 'Dark' : 'Light';
  redrawFigures();
}
function followContents() {
  const links = new Map(all('.toc a').map(link => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries.filter(found => found.isIntersecting)) {
      links.forEach(link => link.removeAttribute('aria-current'));
      links.get(entry.target.id).setAttribute('aria-current', 'true');
    }
  }, {rootMargin: '-20% 0px -70%'});
  links.forEach((_, id) => seen.observe(document.getElementById(id)));
}
function openTarget() {
  const target = document.getElementById(location.hash.slice(1).split('&')[0]);
  if (!target) return;
  const fold = target.closest('details');
  if (fold) fold.open = true;
  target.classList.remove('folded');
  if (location.hash.includes('&')) target.scrollIntoView();
  writeAddress(target.id);
}

async function start() {
  if (!window.DecompressionStream) return;
  D = JSON.parse(await unpack('data'));
  S = {...D.state};
  document.documentElement.classList.add('scripted');
  const narrow = matchMedia('(max-width:640px)');
  const foldBar = () => { one('#chooser').open = !narrow.matches; };
  one('#contents').open = matchMedia('(min-width:1161px)').matches;
  foldBar();
  narrow.addEventListener('change', foldBar);
  all('[data-key]').forEach(key => {
    key.disabled = false;
    key.addEventListener('click', () => choose('f', D.types[key.dataset.key].id));
  });
  for (const name of 'fcvo') one(`#pick-${name}`).addEventListener('change', event => choose(name, event.target.value));
  all('[data-tools]').forEach(addTools);
  all('[data-fold]').forEach(addFold);
  all('.panels').forEach(addEvery);
  one('#theme').addEventListener('click', switchTheme);
  one('#theme').textContent = matchMedia('(prefers-color-scheme:dark)').matches ? 'Light' : 'Dark';
  one('#print').addEventListener('click', () => print());
  addEventListener('hashchange', () => { readAddress(); openTarget(); draw(); });
  readAddress();
  startFigures();
  draw();
  followContents();
  if (location.hash) openTarget();
}
