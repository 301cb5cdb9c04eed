function lengthBins(responses, length, width, count) {
  const bins = Array.from({ length: count }, (_, i) => ({ from: i * width, to: (i + 1) * width, right: 0, wrong: 0 }));
  for (const response of responses) {
    const bin = bins[Math.min(count - 1, Math.floor(length(response) / width))];
    bin[response.right ? 'right' : 'wrong'] += 1;
  }
  return bins;
}

function lengthsSection(benchmark) {
  const own = data.responses.filter((response) => data.problems[response.problem].benchmark === benchmark && !response.failure);
  const inTokens = own.every((response) => response.tokens !== undefined);
  const length = (response) => (inTokens ? response.tokens : response.characters);
  const unit = inTokens ? 'tokens' : 'characters';
  const longest = own.reduce((most, response) => Math.max(most, length(response)), 1);
  const width = Math.max(1, Math.ceil(longest / 30));
  const count = Math.floor(longest / width) + 1;
  const all = data.models.map((_, model) => lengthBins(own.filter((response) => response.model === model), length, width, count));
  const most = Math.max(1, ...all.flatMap((bins) => bins.map((bin) => bin.right + bin.wrong)));
  const average = (responses) => (responses.length ? amount(Math.round(responses.reduce((sum, response) => sum + length(response), 0) / responses.length)) : '–');
  return card(h('span', { dir: 'auto' }, benchmark), null,
    h('div', { class: 'grid' }, data.models.map((_, model) => {
      const responses = own.filter((response) => response.model === model);
      return responses.length > 0 && h('div', {},
        h('h3', {}, modelName(model)),
        histogram(`Response lengths on ${benchmark}`, all[model], most, unit),
        h('p', { class: 'note' }, `mean of right ${average(responses.filter((r) => r.right))}, of wrong ${average(responses.filter((r) => !r.right))} ${unit}; ${responses.filter((r) => r.truncated).length} of ${responses.length} truncated`));
    })));
}

function lengthsPage() {
  return [
    card('Response lengths', 'Same axes for all models of a benchmark.',
      h('div', { class: 'legend' }, h('span', {}, h('span', { class: 'dot right' }), 'right'), h('span', {}, h('span', { class: 'dot wrong' }), 'wrong'))),
    data.benchmarks.map(lengthsSection),
  ];
}
