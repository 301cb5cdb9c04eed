// A list of thousands: filters and search run over the data, and one page of it is in the document at a time.
const PAGE = 25;

// name: of the items. items: what is listed. filters: {key: {label, options: [[value, text]], accepts(item, value)}}.
// texts: an item's strings to search. summary, body: an item's line, and what opens below it, given the search.
function browser({ name, items, filters, texts, summary, body }) {
  const chosen = Object.fromEntries(Object.keys(filters).map((key) => [key, '']));
  let search = '';
  let found = items;
  let page = 0;
  let waiting = 0;
  const list = h('div', { class: 'items' });
  const status = h('p', { class: 'note', role: 'status' });
  const place = h('span', {});
  const back = h('button', { click: () => turn(-1) }, '‹ back');
  const on = h('button', { click: () => turn(1) }, 'next ›');
  const input = h('input', { type: 'search', placeholder: 'words in question or answer', 'aria-label': 'Search', input: () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { search = input.value.trim().toLowerCase(); update(); }, 150);
  } });
  const selects = Object.fromEntries(Object.entries(filters).map(([key, filter]) => [key,
    h('select', { change: (event) => { chosen[key] = event.target.value; update(); } },
      h('option', { value: '' }, 'all'), filter.options.map(([value, text]) => h('option', { value }, text)))]));

  // Lower-case texts are made once, at the first search.
  const lower = new Map();
  const contains = (item) => {
    if (!lower.has(item)) lower.set(item, texts(item).filter(Boolean).map((text) => text.toLowerCase()));
    return lower.get(item).some((text) => text.includes(search));
  };

  function update() {
    const active = Object.entries(filters).filter(([key]) => chosen[key] !== '');
    found = items.filter((item) => active.every(([key, filter]) => filter.accepts(item, chosen[key])) && (!search || contains(item)));
    page = 0;
    show();
  }

  function turn(by) {
    page += by;
    show();
    list.scrollIntoView({ block: 'start' });
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    status.textContent = `${number.format(found.length)} of ${number.format(items.length)} ${name}`;
    place.textContent = `${page + 1} / ${pages}`;
    back.disabled = page === 0;
    on.disabled = page + 1 >= pages;
    const shown = found.slice(page * PAGE, (page + 1) * PAGE);
    list.replaceChildren(...(shown.length ? shown.map(row) : [h('p', { class: 'empty' }, 'Nothing matches.')]));
  }

  function row(item) {
    const content = h('div', { class: 'body', hidden: true });
    const button = h('button', { 'aria-expanded': 'false', click: () => {
      const open = content.hidden;
      if (open && !content.childNodes.length) content.append(body(item, search));
      content.hidden = !open;
      button.setAttribute('aria-expanded', String(open));
      element.toggleAttribute('data-open', open);
    } }, summary(item, search));
    const element = h('article', { class: 'item' }, button, content);
    return element;
  }

  function set(values) {
    for (const key of Object.keys(filters)) { chosen[key] = values[key] ?? ''; selects[key].value = chosen[key]; }
    search = '';
    input.value = '';
    update();
  }

  show();
  return {
    set,
    elements: [
      h('div', { class: 'card' },
        h('div', { class: 'filters' },
          h('label', { class: 'search' }, 'search', input),
          Object.entries(filters).map(([key, filter]) => h('label', {}, filter.label, selects[key]))),
        h('div', { class: 'row spread found' }, status, h('button', { click: () => set({}) }, 'clear filters'))),
      list,
      h('div', { class: 'pager' }, back, place, on),
    ],
  };
}

// The start of a text on one line, or the surroundings of what was searched for.
function snippet(text, search) {
  const line = text.replace(/\s+/g, ' ').trim();
  const at = search ? line.toLowerCase().indexOf(search) : -1;
  const from = Math.max(0, at - 60);
  return h('span', { class: 'snippet', dir: 'auto' }, marked((from ? '… ' : '') + line.slice(from, from + 300), search));
}

const options = (values) => [...values].map((value) => [String(value), String(value)]);
