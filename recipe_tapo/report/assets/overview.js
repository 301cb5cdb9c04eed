const signed = (value) => (value === null ? '–' : `${value > 0 ? '+' : ''}${(100 * value).toFixed(1)}`);

const ESTIMATORS = {
  paper: { label: 'paper', key: (k) => `pass@${k}`, about: 'any of the first k samples of a run is right, averaged over problems and runs' },
  unbiased: { label: 'unbiased', key: (k) => `pass@${k}_unbiased`, about: '1 − C(n−c, k) / C(n, k) over all n responses to a problem' },
};

function estimates(model, benchmark, estimator) {
  const pattern = estimator === 'paper' ? /^pass@(\d+)$/ : /^pass@(\d+)_unbiased$/;
  const prefix = `${benchmark}/`;
  return Object.keys(data.metrics[model])
    .filter((key) => key.startsWith(prefix))
    .map((key) => [key, pattern.exec(key.slice(prefix.length))])
    .filter(([key, match]) => match && data.metrics[model][key] !== null)
    .map(([key, match]) => ({ k: Number(match[1]), value: data.metrics[model][key], stderr: data.metrics[model][`${key}/stderr_problems`] }))
    .sort((a, b) => a.k - b.k);
}

function passCard() {
  const content = h('div', {});
  const differences = h('div', {});
  const lead = h('p', { class: 'lead' });
  const show = (estimator) => {
    lead.textContent = `In %, ${ESTIMATORS[estimator].about}. ± is the standard error over problems: were others drawn.`;
    content.replaceChildren(...data.benchmarks.map((benchmark) => passSection(benchmark, estimator)));
    if (data.differences.length) differences.replaceChildren(differenceTable(estimator));
  };
  show('paper');
  return h('div', { class: 'card' },
    h('div', { class: 'row spread' }, h('h2', {}, 'Pass@k'),
      segmented('Estimator', { paper: 'as in the paper', unbiased: 'unbiased' }, 'paper', show)),
    lead, legend(), content,
    data.differences.length > 0 && h('div', { class: 'pass ruled' }, h('h3', {}, 'Differences to ', modelName(0)),
      h('p', { class: 'lead' }, 'In points of Pass@k, paired problem by problem, so that hard problems count for both alike. Better and worse: problems whose pass rate rose or fell.'), differences));
}

function passSection(benchmark, estimator) {
  const rows = data.models.map((_, model) => ({ model, values: estimates(model, benchmark, estimator) })).filter((row) => row.values.length);
  const ks = [...new Set(rows.flatMap((row) => row.values.map((value) => value.k)))].sort((a, b) => a - b);
  const best = new Map(ks.map((k) => [k, Math.max(...rows.flatMap((row) => row.values.filter((value) => value.k === k).map((value) => value.value)))]));
  const cell = (row, k) => {
    const value = row.values.find((candidate) => candidate.k === k);
    if (!value) return h('td', {}, '–');
    return h('td', { class: rows.length > 1 && value.value === best.get(k) ? 'best' : null }, percent(value.value),
      value.stderr !== null && value.stderr !== undefined && h('small', {}, `± ${percent(value.stderr)}`));
  };
  return h('div', { class: 'pass' }, h('h3', { dir: 'auto' }, benchmark),
    h('div', { class: 'pass-pair' },
      lineChart(`Pass@k of ${benchmark}, ${estimator}`, rows.map((row) => ({ model: row.model, points: row.values.map((value) => ({ x: value.k, y: 100 * value.value, error: 100 * (value.stderr || 0) })) })), 'k'),
      table(['model', ...ks.map((k) => `k = ${k}`)], rows.map((row) => [modelName(row.model), ...ks.map((k) => cell(row, k))]))));
}

function measuresCard() {
  const rows = [];
  for (const benchmark of data.benchmarks) {
    data.models.forEach((_, model) => {
      const problems = metric(model, benchmark, 'problems');
      if (problems === undefined) return;
      const samples = metric(model, benchmark, 'samples');
      const n = samples * metric(model, benchmark, 'runs');
      const stderr = metric(model, benchmark, `mean@${n}/stderr_problems`);
      rows.push([
        modelName(model), h('span', { dir: 'auto' }, benchmark), `${problems} × ${n}`,
        [percent(metric(model, benchmark, `mean@${n}`)), typeof stderr === 'number' && h('small', {}, `± ${percent(stderr)}`)],
        percent(metric(model, benchmark, `maj@${samples}`)), percent(metric(model, benchmark, `maj@${n}`)),
        percent(metric(model, benchmark, 'truncated_share')), percent(metric(model, benchmark, 'unparsed_share')),
        percent(metric(model, benchmark, 'failed_share')), amount(metric(model, benchmark, 'response_length/mean')),
      ]);
    });
  }
  return card('Other measures', 'In % but for the length. maj: the most frequent answer is right, of one run and of all n responses.',
    table(['model', 'benchmark', 'problems × n', 'mean@n', 'maj, run', 'maj, all', 'truncated', 'no answer', 'failed', 'tokens, mean'], rows, 'named'));
}

function differenceTable(estimator) {
  const most = Math.max(...data.differences.map((row) => row.ks.length));
  const ks = Array.from({ length: most }, (_, i) => i);
  const cell = (difference) => difference
    ? [signed(difference[estimator]), difference[`${estimator}_stderr`] !== null && h('small', {}, `± ${percent(difference[`${estimator}_stderr`])}`)]
    : '–';
  return table(['model', 'benchmark', ...ks.map((k) => `k = ${k + 1}`), 'problems better', 'worse', 'equal'],
    data.differences.map((row) => [
      modelName(row.model), h('span', { dir: 'auto' }, row.benchmark), ...ks.map((k) => cell(row.ks[k])),
      row.better, row.worse, row.problems - row.better - row.worse,
    ]), 'named');
}

function reflectionCard() {
  const found = data.reflection;
  if (!found) return null;
  const judge = found.judge.model || found.judge.function;
  return card('Reflection', `On the questions that both models get right sometimes but not always, judged by ${judge}. DSR: of right responses, those without reflection. ERR: of reflecting responses, those that locate and diagnose their error and end right. In %, with ${(100 * found.bootstrap.confidence).toFixed(0)} % bootstrap intervals over problems.`,
    found.pairs.map(reflectionPair), verdictCounts(found), agreementTable(found));
}

function reflectionPair(pair) {
  const rows = [];
  const notes = [];
  const interval = (rate, sign) => [sign && rate.value !== null ? signed(rate.value) : percent(rate.value), rate.low !== null && h('small', {}, `${percent(rate.low)} to ${percent(rate.high)}`)];
  const behind = (rate) => (rate.responses === undefined ? '' : [`${rate.successes} / ${rate.responses}`, rate.undecided > 0 && h('small', {}, `${rate.undecided} undecided`)]);
  for (const [benchmark, part] of Object.entries(pair.benchmarks)) {
    if (part.note) { notes.push(`${benchmark}: ${part.note}.`); continue; }
    [...pair.models, 'difference'].forEach((name, i) => {
      const [dsr, err] = ['dsr', 'err'].map((measure) => (i < 2 ? part[measure][i] : part[`${measure}_difference`]));
      for (const [label, rate] of [['DSR', dsr], ['ERR', err]]) if (rate.note) notes.push(`${benchmark}, ${name}, ${label}: ${rate.note}.`);
      rows.push([i ? '' : [h('b', { dir: 'auto' }, benchmark), h('small', {}, `${part.boundary_problems} problems`)], h('span', { dir: 'auto' }, name), interval(dsr, i === 2), behind(dsr), interval(err, i === 2), behind(err)]);
    });
  }
  return h('div', { class: 'pass' }, h('h3', { dir: 'auto' }, pair.models.join(' and ')),
    rows.length > 0 && table(['benchmark', 'model', 'DSR', 'of right', 'ERR', 'of reflecting'], rows, 'named thirds'),
    notes.map((note) => h('p', { class: 'note' }, note)));
}

function verdictCounts(found) {
  const names = [...new Set(Object.values(found.verdicts).flatMap((counts) => Object.keys(counts)))];
  return h('details', {}, h('summary', {}, 'Verdicts behind it'),
    table(['model', ...names.map((name) => name.replaceAll('_', ' '))], Object.entries(found.verdicts).map(([model, counts]) => [h('span', { dir: 'auto' }, model), ...names.map((name) => counts[name] || 0)])));
}

function agreementTable(found) {
  return found.agreement && h('details', {}, h('summary', {}, 'How well the judge agrees with the truth'),
    table(['question', 'compared', 'agree, %', 'Cohen’s kappa', 'truth → judge'], Object.entries(found.agreement).map(([question, part]) => [
      question.replaceAll('_', ' '), part.compared, percent(part.agree), part.kappa === null ? '–' : part.kappa.toFixed(2),
      Object.entries(part.confusion).map(([pair, count]) => h('small', {}, `${pair.replace('->', '→')}: ${count}`)),
    ])));
}

function settingsCard() {
  const names = [...new Set(data.models.flatMap((model) => Object.keys(model.settings)))];
  const show = (value) => (value === undefined || value === null ? 'not known' : typeof value === 'object' ? JSON.stringify(value) : String(value));
  return card('What the numbers were made with', null,
    table(['', ...data.models.map((_, model) => modelName(model))], names.map((name) => [name, ...data.models.map((model) => h('span', { dir: 'auto' }, show(model.settings[name])))]), 'wide'),
    h('details', {}, h('summary', {}, 'Every number'), allNumbers()));
}

function allNumbers() {
  const keys = [...new Set(data.metrics.flatMap((metrics) => Object.keys(metrics)))];
  return table(['', ...data.models.map((_, model) => modelName(model))], keys.map((key) => [key, ...data.metrics.map((metrics) => (typeof metrics[key] === 'number' ? String(Number(metrics[key].toPrecision(6))) : '–'))]));
}

function overview() {
  return [passCard(), measuresCard(), reflectionCard(), settingsCard()];
}
