const PARTS = { prefix: 'preserved prefix', bridge: 'new before the reflection', reflection: 'reflection', correction: 'correction' };

// Weights lie between 0.01 and 10; a shade per order of magnitude, none for a token that is as good as left out.
const shade = (weight) => {
  const share = Math.min(1, Math.max(0, (Math.log10(Math.max(weight, 0.001)) + 2) / 3));
  return (0.03 + 0.75 * share ** 2).toFixed(3);
};

function segment(kind, text, weight, search, position) {
  const element = h('span', weight === undefined ? { class: `seg ${kind}` } : { class: `seg token ${kind}`, title: `w = ${weight}`, 'data-token': position }, marked(text, search));
  if (weight !== undefined) element.style.setProperty('--shade', shade(weight));
  return element;
}

// A token that reaches from one part into the next is shown as two pieces of one weight.
function weighted(record, search) {
  const elements = [];
  let token = 0;
  let left = record.lengths[0];
  for (const [kind, text] of record.parts) {
    let at = 0;
    while (at < text.length) {
      while (left === 0) left = record.lengths[++token];
      const length = Math.min(left, text.length - at);
      elements.push(segment(kind, text.slice(at, at + length), record.weights[token], search, token));
      at += length;
      left -= length;
    }
  }
  return elements;
}

function reconstruction(record, search) {
  const block = h('div', { class: 'text', dir: 'auto', tabindex: '0' });
  const readout = h('p', { class: 'readout' });
  const content = h('div', {}, block, record.weights && readout);
  const scale = h('span', { class: 'scale' }, 'w', [0.01, 0.1, 1, 10].map((weight) => {
    const swatch = h('i', {});
    swatch.style.backgroundColor = `rgba(var(--bridge), calc(${shade(weight)} * var(--depth)))`;
    return [swatch, weight];
  }));
  const show = (mode) => {
    const byWeight = mode === 'weights';
    block.replaceChildren(...(byWeight ? weighted(record, search) : record.parts.map(([kind, text]) => segment(kind, text, undefined, search))));
    scale.hidden = !byWeight;
    readout.textContent = byWeight ? 'Point at a token, or tap it, to read its weight.' : '';
  };
  const pick = (event) => {
    const token = event.target.closest('[data-token]');
    if (!token) return;
    for (const other of block.querySelectorAll('[data-picked]')) other.removeAttribute('data-picked');
    token.setAttribute('data-picked', '');
    readout.textContent = `${JSON.stringify(token.textContent)}: w = ${record.weights[token.dataset.token]}`;
  };
  block.addEventListener('pointerover', pick);
  block.addEventListener('click', pick);
  show(record.weights ? 'weights' : 'parts');
  const kinds = new Set(record.parts.map(([kind]) => kind));
  return h('div', {},
    h('div', { class: 'label row spread' },
      h('span', { class: 'row' }, 'reconstruction', Object.entries(PARTS).filter(([kind]) => kinds.has(kind)).map(([kind, label]) => h('span', { class: `part-name ${kind}` }, label))),
      record.weights ? h('span', { class: 'row' }, scale, segmented('Shading', { weights: 'OTS weights', parts: 'parts only' }, 'weights', show)) : h('span', {}, 'no OTS weights recorded')),
    content);
}

function wrongRollout(record, search) {
  return h('div', { class: 'text', dir: 'auto', tabindex: '0' }, record.kept > 0 && h('span', { class: 'kept' }, marked(record.wrong.slice(0, record.kept), search)), marked(record.wrong.slice(record.kept), search));
}

function constructionBadge(record) {
  if (record.right === undefined) return h('span', { class: 'badge warn' }, (record.reason || 'no result').replaceAll('_', ' '));
  return h('span', { class: `badge ${record.right ? 'good' : 'bad'}` }, record.right ? '✓ right' : '✗ wrong');
}

function constructionSummary(record, search) {
  const changed = (record.parts || []).filter(([kind]) => kind !== 'prefix').map(([, text]) => text).join('');
  return [
    h('span', { class: 'facts' }, constructionBadge(record), h('b', {}, record.variant || `step ${record.step}`),
      record.reward !== undefined && h('span', {}, `reward ${amount(record.reward)}`),
      record.prefixFraction !== undefined && h('span', {}, `keeps ${percent(record.prefixFraction)} % of y⁻`),
      record.retried && h('span', {}, `sampled anew after ${record.retried.join(', ').replaceAll('_', ' ')}`),
      record.weights && h('span', {}, `mean w ${amount(record.weights.reduce((sum, weight) => sum + weight, 0) / record.weights.length)}`),
      record.right !== undefined && !record.trained && h('span', { class: 'badge warn' }, 'not trained on')),
    snippet(search && !record.question.toLowerCase().includes(search) && changed.toLowerCase().includes(search) ? changed : record.question, search),
  ];
}

function constructionBody(record, search) {
  return h('div', { class: 'fields' },
    field('question', textBlock(record.question, search, 'prose')),
    h('div', { class: 'pair' },
      field([h('span', {}, 'y⁻, the wrong rollout'), record.kept > 0 && h('span', { class: 'kept' }, 'kept in the reconstruction')], wrongRollout(record, search)),
      field('y⁺, the right rollout', textBlock(record.rightRollout, search))),
    record.parts ? reconstruction(record, search) : field('reconstruction', h('p', { class: 'note' }, `none: ${(record.reason || 'not reached').replaceAll('_', ' ')}`)),
    record.output && h('details', { open: !record.parts }, h('summary', {}, 'what the policy wrote, with its analysis'), textBlock(record.output, search)),
    h('p', { class: 'note' }, `uid ${record.uid}`));
}

function constructionsPage() {
  const all = data.constructions;
  const records = all.records;
  const reasons = new Set(records.map((record) => record.reason).filter(Boolean));
  const rewards = [...new Set(records.map((record) => record.reward).filter((reward) => reward !== undefined))].sort((a, b) => b - a).slice(0, 50);
  const steps = [...new Set(records.map((record) => record.step))].sort((a, b) => a - b);
  const variants = [...new Set(records.map((record) => record.variant).filter(Boolean))].sort();
  const listed = browser({
    name: 'constructions',
    items: records,
    filters: {
      ...(variants.length && { variant: { label: 'variant', options: options(variants), accepts: (record, value) => record.variant === value } }),
      reward: { label: 'reward', options: [...options(rewards), ['none', 'no reward']], accepts: (record, value) => (value === 'none' ? record.reward === undefined : record.reward === Number(value)) },
      reason: { label: 'outcome', options: [['trained', 'training row'], ...[...reasons].sort().map((reason) => [reason, reason.replaceAll('_', ' ')])], accepts: (record, value) => (value === 'trained' ? record.trained : record.reason === value) },
      step: { label: 'step', options: options(steps), accepts: (record, value) => record.step === Number(value) },
      reflection: { label: 'parts', options: [['reflection', 'with a reflection'], ['prefix', 'keeps a prefix'], ['fresh', 'keeps nothing']], accepts: (record, value) => record.parts !== undefined && (value === 'fresh') !== record.parts.some(([kind]) => kind === (value === 'fresh' ? 'prefix' : value)) },
    },
    texts: (record) => [record.question, record.wrong, record.rightRollout, record.output, (record.parts || []).map(([, text]) => text).join(''), record.uid],
    summary: constructionSummary,
    body: constructionBody,
  });
  const share = (count) => `${number.format(count)} (${records.length ? Math.round((100 * count) / records.length) : 0} %)`;
  return [
    card('Constructed trajectories', `From ${all.folder}${variants.length ? '' : `, steps ${all.steps[0]} to ${all.steps[1]}`}. Attempts: ${number.format(all.attempts)}.${records.length < all.attempts ? ` This file has ${number.format(records.length)} of them, evenly over the steps; of these` : ''} ${share(records.filter((record) => record.trained).length)} ${variants.length ? 'would become' : 'became'} training rows, ${share(records.filter((record) => record.right).length)} end in the right answer.`),
    ...listed.elements,
  ];
}
