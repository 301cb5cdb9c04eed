// Elements are made one by one and texts are only ever set as text: no markup in a problem or an answer can come alive.
const data = JSON.parse(document.getElementById('data').textContent);

function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

function svg(tag, properties, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const percent = (value) => (value === undefined || value === null ? '–' : (100 * value).toFixed(1));
const amount = (value) => (value === undefined || value === null ? '–' : number.format(value));
const modelClass = (model) => `m${model % 8}`;
const modelName = (model) =>
  h('span', { class: 'model' }, h('span', { class: `dot ${modelClass(model)}` }), h('span', { dir: 'auto' }, data.models[model].name));
const metric = (model, benchmark, name) => data.metrics[model][`${benchmark}/${name}`];

function card(title, lead, ...children) {
  return h('div', { class: 'card' }, title && h('h2', {}, title), lead && h('p', { class: 'lead' }, lead), children);
}

function table(heads, rows, kind) {
  return h('div', { class: 'scroll' },
    h('table', { class: kind },
      h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))),
      h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell) => (cell instanceof HTMLTableCellElement ? cell : h('td', {}, cell))))))));
}

function legend() {
  return data.models.length > 1 && h('div', { class: 'legend' }, data.models.map((_, model) => modelName(model)));
}

function segmented(label, options, chosen, choose) {
  const group = h('div', { class: 'segmented', role: 'group', 'aria-label': label },
    Object.entries(options).map(([value, text]) =>
      h('button', { 'aria-pressed': String(value === chosen), click: (event) => {
        for (const button of group.children) button.setAttribute('aria-pressed', String(button === event.currentTarget));
        choose(value);
      } }, text)));
  return group;
}

// A text with the places marked that a search has found.
function marked(text, search) {
  if (!search) return [text];
  const pieces = [];
  const lower = text.toLowerCase();
  // Lower case may have another length in a few scripts; then places would be wrong, so nothing is marked.
  if (lower.length !== text.length) return [text];
  let start = 0;
  for (let at = lower.indexOf(search); at >= 0 && pieces.length < 2000; at = lower.indexOf(search, start)) {
    pieces.push(text.slice(start, at), h('mark', {}, text.slice(at, at + search.length)));
    start = at + search.length;
  }
  pieces.push(text.slice(start));
  return pieces;
}

function textBlock(text, search, kind) {
  return h('div', { class: `text ${kind || ''}`, dir: 'auto', tabindex: '0' }, marked(text, search));
}

function field(label, ...children) {
  return h('div', {}, h('p', { class: 'label' }, label), children);
}
