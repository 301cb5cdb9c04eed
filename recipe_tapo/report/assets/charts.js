const WIDTH = 340;
const HEIGHT = 210;
const MARGIN = { left: 34, right: 10, top: 8, bottom: 30 };

function linear(from, to, start, end) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}

function niceStep(range, parts) {
  const rough = range / parts || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function ticks(from, to, parts) {
  const step = niceStep(to - from, parts);
  const values = [];
  for (let value = Math.ceil(from / step - 1e-9) * step || 0; value <= to + step * 1e-6; value += step) values.push(value);
  return values;
}

function frame(title, x, y, xTicks, yTicks, xLabel) {
  return [
    svg('title', {}, title),
    yTicks.map((value) => [
      svg('line', { class: 'grid-line', x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(value), y2: y(value) }),
      svg('text', { x: MARGIN.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, number.format(value)),
    ]),
    xTicks.map((value) => svg('text', { x: x(value), y: HEIGHT - MARGIN.bottom + 15, 'text-anchor': 'middle' }, number.format(value))),
    svg('text', { x: (MARGIN.left + WIDTH - MARGIN.right) / 2, y: HEIGHT - 1, 'text-anchor': 'middle' }, xLabel),
  ];
}

// Curves of points {x, y, error} in the models' colours.
function lineChart(title, curves, xLabel) {
  const points = curves.flatMap((curve) => curve.points);
  if (!points.length) return h('p', { class: 'note' }, 'not measured');
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const low = Math.max(0, Math.min(...points.map((point) => point.y - (point.error || 0))));
  const high = Math.min(100, Math.max(...points.map((point) => point.y + (point.error || 0))));
  const step = niceStep(Math.max(high - low, 8), 4);
  const bottom = Math.floor(low / step) * step;
  const top = Math.max(bottom + step, Math.ceil(high / step - 1e-9) * step);
  const logarithmic = xs.length > 1 && xs[xs.length - 1] > 12;
  const place = logarithmic ? Math.log2 : (value) => value;
  const scale = linear(place(xs[0]), place(xs[xs.length - 1]), MARGIN.left + 14, WIDTH - MARGIN.right - 14);
  const x = xs.length > 1 ? (value) => scale(place(value)) : () => (MARGIN.left + WIDTH - MARGIN.right) / 2;
  const y = linear(bottom, top, HEIGHT - MARGIN.bottom, MARGIN.top);
  const shown = logarithmic ? xs.filter((value) => Number.isInteger(Math.log2(value))) : xs;
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title },
    frame(title, x, y, shown, ticks(bottom, top, 4), xLabel),
    curves.map((curve) => svg('g', { class: modelClass(curve.model) },
      svg('path', { class: 'curve', d: curve.points.map((point, i) => `${i ? 'L' : 'M'}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join('') }),
      curve.points.map((point) => [
        point.error && svg('line', { class: 'error', x1: x(point.x), x2: x(point.x), y1: y(Math.max(bottom, point.y - point.error)), y2: y(Math.min(top, point.y + point.error)) }),
        svg('circle', { class: 'point', cx: x(point.x), cy: y(point.y), r: 4 },
          svg('title', {}, `${data.models[curve.model].name}, ${xLabel} = ${point.x}: ${point.y.toFixed(1)} %${point.error ? ` ± ${point.error.toFixed(1)}` : ''}`)),
      ]))));
}

// Bars of stacked counts: bins of {from, to, right, wrong}.
function histogram(title, bins, most, xLabel) {
  const x = linear(bins[0].from, bins[bins.length - 1].to, MARGIN.left, WIDTH - MARGIN.right);
  const y = linear(0, most, HEIGHT - MARGIN.bottom, MARGIN.top);
  const bar = (kind, bin, from, count) => count > 0 && svg('rect', {
    class: kind, x: x(bin.from) + 0.5, width: Math.max(1, x(bin.to) - x(bin.from) - 1), y: y(from + count), height: y(from) - y(from + count),
  }, svg('title', {}, `${number.format(bin.from)} to ${number.format(bin.to)}: ${bin.right} right, ${bin.wrong} wrong`));
  return svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title },
    frame(title, x, y, ticks(bins[0].from, bins[bins.length - 1].to, 5), ticks(0, most, 4).filter(Number.isInteger), xLabel),
    bins.map((bin) => [bar('bar-right', bin, 0, bin.right), bar('bar-wrong', bin, bin.right, bin.wrong)]));
}
