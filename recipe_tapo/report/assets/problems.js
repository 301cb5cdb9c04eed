const rates = new Map(); // `${model}:${problem}` to {right, total}
for (const response of data.responses) {
  const key = `${response.model}:${response.problem}`;
  const rate = rates.get(key) || { right: 0, total: 0 };
  rate.right += response.right ? 1 : 0;
  rate.total += 1;
  rates.set(key, rate);
}

const passRate = (model, problem) => {
  const rate = rates.get(`${model}:${problem}`);
  return rate ? rate.right / rate.total : null;
};

const ORDERS = {
  number: { label: 'number', key: (problem) => data.problems[problem].index },
  easiest: { label: 'pass rate', key: (problem) => -mean(data.models.map((_, model) => passRate(model, problem))) },
  gained: { label: 'difference', key: (problem) => -((passRate(data.models.length - 1, problem) ?? 0) - (passRate(0, problem) ?? 0)) },
};

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : 0;
}

function heatCell(rate) {
  if (rate === null) return h('span', { class: 'cell none' }, '–');
  const cell = h('span', { class: 'cell' }, Math.round(100 * rate));
  cell.style.backgroundColor = `rgba(var(--heat), ${(0.04 + 0.9 * rate).toFixed(3)})`;
  if (rate > 0.8) cell.style.color = 'var(--surface)';
  return cell;
}

function heatMap(benchmark, order) {
  const problems = data.problems.map((_, problem) => problem).filter((problem) => data.problems[problem].benchmark === benchmark);
  problems.sort((a, b) => ORDERS[order].key(a) - ORDERS[order].key(b) || data.problems[a].index - data.problems[b].index);
  return h('div', { class: 'heat' }, problems.map((problem) => {
    const { index, question } = data.problems[problem];
    const described = data.models.map((model, i) => `${model.name}: ${percent(passRate(i, problem))} %`).join('\n');
    return h('button', {
      title: `${index}: ${question.slice(0, 200)}\n${described}`, 'aria-label': `problem ${index}`,
      click: () => openTab('responses', { benchmark, problem: String(problem) }),
    }, data.models.map((_, model) => heatCell(passRate(model, problem))), h('span', { class: 'index' }, index));
  }));
}

function problemsPage() {
  const content = h('div', { class: 'stack' });
  const show = (order) => content.replaceChildren(...data.benchmarks.map((benchmark) =>
    card(h('span', { dir: 'auto' }, benchmark), null, heatMap(benchmark, order))));
  show('number');
  const labels = Object.fromEntries(Object.entries(ORDERS).filter(([name]) => name !== 'gained' || data.models.length > 1).map(([name, order]) => [name, order.label]));
  return [
    h('div', { class: 'card' },
      h('div', { class: 'row spread' }, h('h2', {}, 'Pass rate of every problem, %'), h('span', { class: 'row' }, h('span', { class: 'scale' }, 'order by'), segmented('Order by', labels, 'number', show))),
      h('p', { class: 'lead' }, `${data.models.length > 1 ? 'One row per model, in the order of the legend. ' : ''}The number below is the problem’s row in its benchmark. Choose a problem to read its responses.`),
      legend(),
      h('span', { class: 'scale' }, '0', [0, 0.25, 0.5, 0.75, 1].map((rate) => { const swatch = h('i', {}); swatch.style.backgroundColor = `rgba(var(--heat), ${0.04 + 0.9 * rate})`; return swatch; }), '100 %')),
    content,
  ];
}
