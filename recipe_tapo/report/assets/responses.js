const VERDICTS = {
  reflection_attempted: 'reflects', error_located: 'locates the error', error_diagnosed: 'diagnoses it', led_to_right_answer: 'ends right by it',
};

const RESULTS = {
  right: ['right', (response) => response.right],
  wrong: ['wrong', (response) => !response.right],
  truncated: ['truncated', (response) => response.truncated],
  unparsed: ['no final answer', (response) => !response.pred && !response.failure],
  failed: ['request failed', (response) => response.failure],
};

const JUDGED = {
  direct: ['no reflection', (verdict) => verdict.reflection_attempted === 'no'],
  reflects: ['reflects', (verdict) => verdict.reflection_attempted === 'yes'],
  effective: ['located, diagnosed, ends right', (verdict, response) => response.right && ['reflection_attempted', 'error_located', 'error_diagnosed', 'led_to_right_answer'].every((name) => verdict[name] === 'yes')],
  vain: ['reflects in vain', (verdict) => verdict.reflection_attempted === 'yes' && verdict.led_to_right_answer === 'no'],
  unsure: ['unsure', (verdict) => Object.keys(VERDICTS).some((name) => verdict[name] === 'unsure')],
  malformed: ['no verdict', (verdict) => verdict.malformed],
};

function problemLabel(problem) {
  return `${data.problems[problem].benchmark} #${data.problems[problem].index}`;
}

function responseFilters() {
  const pick = (choices, of) => ({
    options: Object.entries(choices).map(([value, [text]]) => [value, text]),
    accepts: (response, value) => { const subject = of(response); return subject && choices[value][1](subject, response); },
  });
  return {
    ...(data.models.length > 1 && { model: { label: 'model', options: data.models.map((model, i) => [String(i), model.name]), accepts: (response, value) => response.model === Number(value) } }),
    ...(data.benchmarks.length > 1 && { benchmark: { label: 'benchmark', options: options(data.benchmarks), accepts: (response, value) => data.problems[response.problem].benchmark === value } }),
    problem: { label: 'problem', options: data.problems.map((_, problem) => [String(problem), problemLabel(problem)]), accepts: (response, value) => response.problem === Number(value) },
    result: { label: 'result', ...pick(RESULTS, (response) => response) },
    ...(data.responses.some((response) => response.verdict) && { judged: { label: 'judge', ...pick(JUDGED, (response) => response.verdict) } }),
  };
}

function resultBadge(response) {
  if (response.failure) return h('span', { class: 'badge warn' }, 'failed');
  return h('span', { class: `badge ${response.right ? 'good' : 'bad'}` }, response.right ? '✓ right' : '✗ wrong');
}

function responseSummary(response, search) {
  const text = response.failure || (response.text ?? 'text not in this file');
  return [
    h('span', { class: 'facts' }, resultBadge(response), data.models.length > 1 && modelName(response.model),
      h('b', { dir: 'auto' }, problemLabel(response.problem)), h('span', {}, `run ${response.run + 1}, sample ${response.sample + 1}`),
      response.tokens !== undefined && h('span', {}, `${number.format(response.tokens)} tokens`),
      response.truncated && h('span', { class: 'badge warn' }, 'truncated'),
      !response.failure && h('span', {}, 'answer ', h('b', { dir: 'auto' }, response.pred || 'none'))),
    snippet(text, search),
  ];
}

function verdictField(verdict) {
  const kinds = { yes: 'good', no: '', unsure: 'warn' };
  const shown = verdict.malformed
    ? h('span', { class: 'badge warn' }, `no verdict: ${verdict.malformed.replaceAll('_', ' ')}`)
    : h('span', { class: 'row' }, Object.entries(VERDICTS).map(([name, label]) => h('span', { class: `badge ${kinds[verdict[name]]}` }, `${label}: ${verdict[name]}`)));
  return field('judge', shown, verdict.evidence && h('p', { class: 'note', dir: 'auto' }, `“${verdict.evidence}”`));
}

function responseBody(response, search) {
  const problem = data.problems[response.problem];
  return h('div', { class: 'fields' },
    field('question', textBlock(problem.question, search, 'prose')),
    h('p', { class: 'facts' }, h('span', {}, 'answer ', h('b', { dir: 'auto' }, response.pred || 'none')), h('span', {}, 'right answer ', h('b', { dir: 'auto' }, problem.gold))),
    response.verdict && verdictField(response.verdict),
    field('response', response.failure ? textBlock(response.failure) : response.text === undefined
      ? h('p', { class: 'note' }, `Left out to keep this file small (${number.format(response.characters)} characters); it is in responses.jsonl of ${data.models[response.model].folder}.`)
      : textBlock(response.text, search)));
}

let responseBrowser;
function responsesPage() {
  const texts = data.responses.filter((response) => response.text !== undefined).length;
  responseBrowser = browser({
    name: 'responses',
    items: data.responses,
    filters: responseFilters(),
    texts: (response) => [data.problems[response.problem].question, response.text, response.pred, response.failure],
    summary: responseSummary,
    body: responseBody,
  });
  return [
    texts < data.responses.length && h('p', { class: 'note' }, `This file has the texts of ${number.format(texts)} of ${number.format(data.responses.length)} responses, the first ones of every problem; numbers are of all.`),
    ...responseBrowser.elements,
  ];
}
