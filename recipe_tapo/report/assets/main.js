const pages = {
  ...(data.models.length && {
    overview: ['Overview', overview],
    problems: ['Problems', problemsPage],
    lengths: ['Lengths', lengthsPage],
    responses: ['Responses', responsesPage],
  }),
  ...(data.constructions && { constructions: ['Constructions', constructionsPage] }),
};
const panels = {};
const tabs = {};

// Pages are made when they are first opened.
function openTab(name, filters) {
  for (const [other, tab] of Object.entries(tabs)) {
    tab.setAttribute('aria-selected', String(other === name));
    panels[other].hidden = other !== name;
  }
  if (!panels[name].childNodes.length) fill(panels[name], {}, pages[name][1]());
  if (filters) responseBrowser.set(filters);
  if (location.hash !== `#${name}`) history.replaceState(null, '', `#${name}`);
  tabs[name].scrollIntoView({ block: 'nearest', inline: 'center' });
  window.scrollTo(0, 0);
}

if (data.models.length) document.title = `TAPO report: ${data.models.map((model) => model.name).join(', ')}`;
document.getElementById('main').replaceChildren();
for (const [name, [label]] of Object.entries(pages)) {
  tabs[name] = h('button', { role: 'tab', id: `tab-${name}`, 'aria-controls': `page-${name}`, 'aria-selected': 'false', click: () => openTab(name) }, label);
  panels[name] = h('section', { role: 'tabpanel', id: `page-${name}`, 'aria-labelledby': `tab-${name}`, hidden: true });
  document.getElementById('tabs').append(tabs[name]);
  document.getElementById('main').append(panels[name]);
}
const fromAddress = () => (Object.hasOwn(pages, location.hash.slice(1)) ? location.hash.slice(1) : Object.keys(pages)[0]);
window.addEventListener('hashchange', () => openTab(fromAddress()));
openTab(fromAddress());
