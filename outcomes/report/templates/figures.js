/* Figures that answer to the pointer. Plotly stands in the page compressed; it is inflated when the
   first figure comes near, and runs because the policy names its hash. Should it not start, the
   still pictures of the declared comparison remain and say that they cannot follow. */
let plotly = null;
const drawn = new Set();

function inflate() {
  plotly ??= (async () => {
    const script = document.createElement('script');
    script.textContent = await unpack('plotly');
    document.head.append(script);
    if (!window.Plotly) throw new Error('Plotly did not start');
    return window.Plotly;
  })();
  return plotly;
}
const paperNow = () => document.documentElement.classList.contains('printing');
const high = () => (paperNow() ? 186 : 240);
const small = () => (paperNow() ? 9.5 : 11.5);
const token = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colour = (slot, text = false) => token(`${text ? 'x' : 'c'}${slot}`);
const faint = (hex, opacity) => `rgba(${[1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16)).join(',')},${opacity})`;

/* ---- the shared layout in the colours of the moment ---- */
function layoutOf(changes) {
  const base = structuredClone(D.layout);
  const size = paperNow() ? .84 : 1;
  Object.assign(base.font, {color: token('ink2'), size: 12.5 * size});
  Object.assign(base.hoverlabel, {bgcolor: token('ink'), bordercolor: token('ink')});
  base.hoverlabel.font.color = token('paper');
  for (const axis of [base.xaxis, base.yaxis]) {
    Object.assign(axis, {gridcolor: token('grid'), linecolor: token('ink3')});
    Object.assign(axis.tickfont, {color: token('ink3'), size: 11.5 * size});
  }
  return Object.assign(base, {...changes, xaxis: {...base.xaxis, ...changes.xaxis}, yaxis: {...base.yaxis, ...changes.yaxis}});
}
function lineOf(course, slot, {band = true, ghost = false, followed = false} = {}) {
  const [area, line] = structuredClone(course.traces[D.types[slot].id]);
  const hue = ghost ? faint(token('ink3'), .32) : colour(slot);
  Object.assign(area, {fillcolor: faint(colour(slot), .16)});
  line.line.color = hue;
  Object.assign(line.marker, {color: D.types[slot].open ? token('paper') : hue,
    symbol: D.types[slot].symbol.replace('-open', ''),
    line: {color: D.types[slot].open ? hue : token('paper'), width: D.types[slot].open ? 2 : 1.2}});
  if (followed) line.line.width = 3;
  if (ghost) Object.assign(line, {mode: 'lines', hoverinfo: 'skip', hovertemplate: null, line: {...line.line, width: 1, dash: 'solid'}});
  if (!ghost && course.labels[0] === 'baseline') line.marker.opacity = line.x.map((_, k) => (k ? 1 : 0));
  return band && !ghost ? [area, line] : [line];
}

/* ---- trajectories ---- */
function tickWords(course, width) {
  return course.ticks.map((tick, k) => {
    if (course.labels[k] === S.v) return `<b>${tick}</b>`;
    return width < 300 && course.tight[k] ? '' : tick;
  });
}
/* Under the axis, a line a type: how many were measured. The numbers shrink where they would run
   into each other; a long first one steps aside for the second. A hidden number is hatched. */
const lineAt = line => -(paperNow() ? 20 : 24) - (paperNow() ? 12 : 15) * line;
const HIDDEN = '–';
function counts(course, slots, width) {
  const aside = (n, k) => (k === 0 && n.length > 3 ? -8 : 0);
  const size = width < 340 ? Math.min(small(), paperNow() ? 8.2 : 10) : small();
  const row = (slot, line) => course.n[D.types[slot].id].map((n, k) => ({
    x: course.weeks[k], xshift: aside(n, k), y: 0, yref: 'paper', yanchor: 'top', yshift: lineAt(line), text: width < 300 && course.tight[k] ? '' : n,
    showarrow: false, font: {size, color: colour(slot, true)}})).filter(note => note.text !== HIDDEN);
  return slots.flatMap(row);
}
function hatches(course, slots) {
  const [first, last] = [course.weeks[0], course.weeks.at(-1)];
  const place = k => (first === last ? .5 : (course.weeks[k] - first) / (last - first));
  const row = (slot, line) => course.n[D.types[slot].id].map((n, k) => [n, k]).filter(([n]) => n === HIDDEN).map(([, k]) => ({
    type: 'path', xref: 'paper', yref: 'paper', xsizemode: 'pixel', ysizemode: 'pixel', xanchor: place(k), yanchor: 0,
    path: [-9, -5, -1, 3].map(x => `M${x},${lineAt(line) - 13}L${x + 6},${lineAt(line) - 5}`).join(''),
    line: {color: token('ink3'), width: 1}}));
  return slots.flatMap(row);
}
function gone(course, slots) {
  return slots.flatMap(slot => course.gone[D.types[slot].id].map(k => course.weeks[k]));
}
function frame(course, width, slots) {
  const at = course.weeks[course.labels.indexOf(S.v)];
  const shapes = at === undefined ? [] : [{type: 'rect', xsizemode: 'pixel', xanchor: at, x0: -6, x1: 6, yref: 'paper',
    y0: 0, y1: 1, fillcolor: token('wash'), line: {width: 0}, layer: 'below'}];
  const missing = gone(course, slots);
  shapes.push(...missing.map(x => ({type: 'line', x0: x, x1: x, yref: 'paper', y0: 0, y1: 1,
    line: {color: token('ink3'), width: 1, dash: 'dot'}})));
  const notes = missing.map(x => ({x, y: 1, yref: 'paper', yanchor: 'top', xshift: -9, textangle: -90, text: 'not shown',
    showarrow: false, font: {size: small(), color: token('ink3')}}));
  const [first, last] = [course.weeks[0], course.weeks.at(-1)];
  return {shapes, notes, xaxis: {range: first === last ? [first - 1, last + 1] : [first, last], tickvals: course.weeks,
    ticktext: tickWords(course, width), showline: true, ticklabelstandoff: 2, tickangle: 0},
  yaxis: {range: [course.low, course.high], tickvals: course.yticks.map(tick => tick[0]), ticktext: course.yticks.map(tick => tick[1])}};
}
function panelFigure(course, slot, width) {
  const reference = slotOf(S.c);
  const rest = D.types.length > 7 ? [] : D.types.map((_, k) => k).filter(k => k !== slot && k !== reference);
  const traces = [...rest.flatMap(k => lineOf(course, k, {ghost: true})), ...lineOf(course, reference),
    ...lineOf(course, slot, {followed: D.types[slot].id === S.f})];
  const made = frame(course, width, [slot, reference]);
  return {traces, layout: layoutOf({height: high(), width, margin: {l: 26, r: 18, t: 10, b: 54}, shapes: [...made.shapes, ...hatches(course, [slot, reference])],
    annotations: [...made.notes, ...counts(course, [slot, reference], width)], xaxis: made.xaxis, yaxis: made.yaxis})};
}
function spread(places, gap, tall) {
  const out = [];
  places.forEach((place, k) => out.push(k ? Math.max(place, out[k - 1] + gap) : place));
  const over = Math.max(0, (out.at(-1) ?? 0) - tall - 4);
  return out.map(place => place - over);
}
function togetherFigure(course, width) {
  const tall = high() - 64;
  const traces = D.types.flatMap((type, slot) => lineOf(course, slot, {band: false, followed: type.id === S.f}));
  const ends = D.types.map((type, slot) => {
    const {x, y} = course.traces[type.id][1];
    const last = y.findLastIndex(value => value !== null);
    return {slot, whole: last === y.length - 1, y: tall * (course.high - y[last]) / (course.high - course.low), shown: last >= 0};
  }).filter(end => end.shown).sort((a, b) => a.y - b.y);
  const places = spread(ends.map(end => end.y), small() + 2, tall);
  const names = ends.map((end, k) => ({x: 1, xref: 'paper', xanchor: 'left', xshift: 15, y: 1, yref: 'paper', yanchor: 'middle',
    yshift: -places[k], text: escaped(D.types[end.slot].short), showarrow: false,
    font: {size: paperNow() ? 8.6 : small(), color: colour(end.slot, true)}}));
  const leaders = ends.flatMap((end, k) => (end.whole ? [{type: 'line', xref: 'paper', yref: 'paper', xsizemode: 'pixel', ysizemode: 'pixel',
    xanchor: 1, yanchor: 1, x0: 5, x1: 14, y0: -end.y, y1: -places[k], opacity: .7, line: {color: colour(end.slot), width: 1}}] : []));
  const made = frame(course, width, []);
  return {traces, layout: layoutOf({height: high(), width, margin: {l: 26, r: paperNow() ? 104 : 132, t: 10, b: 54},
    shapes: [...made.shapes, ...leaders], annotations: names, xaxis: made.xaxis, yaxis: made.yaxis})};
}
/* Plotly reads a few tags in its texts; labels may not hold any. */
const escaped = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/* ---- how many improved by how much ---- */
function curveFigure(outcome, width) {
  const {keys, shares} = outcome.responders;
  const visit = placeOf(S.v), plain = reached(outcome, visit), f = slotOf(S.f), c = slotOf(S.c);
  const key = keyAt(outcome, visit);
  const order = [...D.types.keys()].sort((a, b) => [f, c].includes(a) - [f, c].includes(b));
  const share = (slot, k) => shares[`${visit}|${k}|${slot}`]?.[0] ?? null;
  const traces = order.map(slot => ({type: 'scatter', mode: 'lines', connectgaps: false, x: plain.map(k => keys[k][0]),
    y: plain.map(k => (share(slot, k) === null ? null : 100 * share(slot, k))),
    text: plain.map(k => `${escaped(D.types[slot].name)}, ${keys[k][1]}: ${words(shares[`${visit}|${k}|${slot}`]?.[3] ?? 0)} %`),
    hovertemplate: '%{text}<extra></extra>',
    line: {shape: 'vh', dash: D.types[slot].dash, color: colour(slot), width: slot === f ? 3 : slot === c ? 2.4 : 1.1},
    opacity: [f, c].includes(slot) ? 1 : .55}));
  const at = keys[key][0];
  const labels = [f, c].map(slot => ({slot, value: share(slot, key)})).filter(end => end.value !== null)
    .sort((a, b) => b.value - a.value);
  /* A value belongs to the step that ends at its threshold: its words stand left of the line. Where
     steps are short, those of the upper value stand where it falls away from them, on the right. */
  const [left, right] = [{xanchor: 'right', align: 'right', xshift: -7}, {xanchor: 'left', align: 'left', xshift: 8}];
  const short = width / plain.length < 50 && key !== plain.at(-1);
  const notes = labels.map((end, k) => ({...(key === plain[0] || (short && !k) ? right : left), x: at, y: 100 * end.value, yanchor: k ? 'top' : 'bottom', yshift: k ? -2 : 2,
    text: `<b>${escaped(D.types[end.slot].short)}<br>${Math.round(100 * end.value)} %</b>`, showarrow: false,
    font: {color: colour(end.slot, true)}}));
  traces.push({type: 'scatter', mode: 'markers', hoverinfo: 'skip', cliponaxis: false, x: labels.map(() => at),
    y: labels.map(end => 100 * end.value), marker: {size: 8, color: labels.map(end => colour(end.slot)),
      line: {color: token('paper'), width: 1.2}}});
  const upwards = {x: 0, xref: 'paper', xanchor: 'left', xshift: -40, y: 1, yref: 'paper', yanchor: 'bottom', yshift: 6,
    text: '↑ share of people', showarrow: false, font: {size: small(), color: token('ink3')}};
  return {traces, layout: layoutOf({height: paperNow() ? 180 : 260, width, margin: {l: 44, r: 12, t: 24, b: 30}, annotations: [...notes, upwards],
    shapes: [{type: 'line', x0: at, x1: at, yref: 'paper', y0: 0, y1: 1, line: {color: token('ink'), width: 1.6}},
      {type: 'line', x0: 0, x1: 0, yref: 'paper', y0: 0, y1: 1, line: {color: token('ink3'), width: 1, dash: 'dot'}}],
    yaxis: {range: [0, 100], tickvals: [0, 25, 50, 75, 100], ticktext: ['0', '25', '50', '75', '100 %']},
    xaxis: {showline: true, range: [keys[plain[0]][0], keys[plain.at(-1)][0]]}})};
}

/* ---- what to draw where ---- */
const courseOf = figure => (figure.dataset.fig === 'use' ? D.use : outcomeOf(figure.closest('.effect').dataset.o).course);
function figureOf(place, width) {
  if (place.dataset.r === 'curve') return curveFigure(outcomeOf(place.closest('.effect').dataset.o), width);
  const course = courseOf(place.closest('figure'));
  if (place.dataset.panel === 'all') return togetherFigure(course, width);
  return panelFigure(course, others()[place.dataset.panel], width);
}
function headPanel(place) {
  if (place.dataset.panel === undefined || place.dataset.panel === 'all') return;
  const slot = others()[place.dataset.panel];
  one('h4', place).replaceChildren(typeName(slot));
  place.classList.toggle('followed', D.types[slot].id === (S.f === S.c ? null : S.f));
  if (place.closest('figure').dataset.fig === 'use') return;
  const found = read(outcomeOf(place.closest('.effect').dataset.o), slot, slotOf(S.c), placeOf(S.v));
  one('p', place).textContent = found.shown ? `${plainly(found.amount)} (${unbroken(found.sizeInterval)})` : found.short;
}
function paint(Plotly, place) {
  const box = one('.plot', place);
  if (!one('.live', box)) box.append(h('div', {class: 'live'}));
  box.classList.add('drawn');
  const live = one('.live', box);
  const {traces, layout} = figureOf(place, live.clientWidth);
  Plotly.react(live, traces, layout, D.config);
  drawn.add(place);
}
const near = new IntersectionObserver(entries => {
  for (const {isIntersecting, target} of entries) {
    target.near = isIntersecting;
    if (isIntersecting && target.stale) bring(target);
  }
}, {rootMargin: '500px'});
async function bring(place) {
  try {
    const Plotly = await inflate();
    place.stale = false;
    paint(Plotly, place);
  } catch (error) {
    one('.plot', place).classList.toggle('foreign', !isDeclared());
  }
}
function redrawFigures() {
  all('[data-panel], .curve').forEach(place => {
    headPanel(place);
    place.stale = true;
    if (place.near && !place.hidden) bring(place);
  });
}
let lastWidth = 0;
function resizeFigures() {
  lastWidth = one('main').clientWidth;
  drawn.forEach(place => { if (!place.hidden) paint(window.Plotly, place); });
}
function startSlider(place) {
  const section = place.closest('.effect'), outcome = outcomeOf(section.dataset.o);
  const slider = one('[data-r=slider]', place);
  slider.addEventListener('input', () => {
    chosenKey[outcome.id] = reached(outcome, placeOf(S.v))[slider.value];
    drawDots(section, outcome, placeOf(S.v));
    bring(place);
  });
}
function startFigures() {
  all('[data-panel], .curve').forEach(place => near.observe(place));
  all('.curve').forEach(startSlider);
  let waiting = 0;
  lastWidth = one('main').clientWidth;
  new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (one('main').clientWidth !== lastWidth) resizeFigures(); }, 150);
  }).observe(one('main'));
  addEventListener('beforeprint', () => preparePaper(true));
  addEventListener('afterprint', () => preparePaper(false));
}

/* ---- paper: the width of A4, light colours, folds opened; then as it was ---- */
let folded = [];
function preparePaper(on) {
  document.documentElement.classList.toggle('printing', on);
  if (on) {
    folded = all('details:not([open])').filter(part => !part.matches('.data, .stackset, .onscreen'));
    folded.forEach(part => { part.open = true; });
    if (window.Plotly && !isDeclared()) all('[data-panel], .curve:not([hidden])').forEach(place => paint(window.Plotly, place));
  } else folded.forEach(part => { part.open = false; });
  if (window.Plotly) resizeFigures();
}

/* ---- one picture of all panels ---- */
async function saveImage(figure) {
  const Plotly = await inflate();
  const places = all('[data-panel]', figure);
  const parts = [];
  let [x, y, wide] = [0, 0, 0];
  for (const [k, place] of places.entries()) {
    if (place.stale || !drawn.has(place)) paint(Plotly, place);
    const live = one('.live', place);
    const [width, height] = [live.clientWidth, 240];
    if (k && k % 3 === 0) { x = 0; y += height + 40; }
    const inner = decodeURIComponent((await Plotly.toImage(live, {format: 'svg', width, height})).split(',').slice(1).join(','));
    const title = one('h4', place).textContent;
    parts.push(`<text x="${x + 26}" y="${y + 20}" font-family="sans-serif" font-size="14" font-weight="600" fill="${token('ink')}">${escaped(title)}</text>`,
      inner.replace('<svg ', `<svg x="${x}" y="${y + 26}" `));
    x += width + 30;
    wide = Math.max(wide, x);
  }
  save(`${figure.id}.svg`, 'image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${y + 260}">`
    + `<rect width="100%" height="100%" fill="${token('paper')}"/>${parts.join('')}</svg>`);
}
start();
