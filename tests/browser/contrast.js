// The least contrast (WCAG 2) of a visible text with its ground, translucent shades mixed in.
const parse = (color) => {
  const parts = color.match(/[\d.]+/g).map(Number);
  return [parts[0], parts[1], parts[2], parts[3] ?? 1];
};
const linear = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const ground = (element) => {
  const own = parse(getComputedStyle(element).backgroundColor);
  if (own[3] === 1) return own;
  const below = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
  return [0, 1, 2].map((i) => own[3] * own[i] + (1 - own[3]) * below[i]);
};
let least = { ratio: 21, text: '' };
const walker = document.createTreeWalker(document.querySelector('section:not([hidden])'), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.data;
  const element = walker.currentNode.parentElement;
  if (!text.trim() || element.closest('svg, option, :disabled') || !element.getClientRects().length) continue;
  const color = luminance(parse(getComputedStyle(element).color));
  const behind = luminance(ground(element));
  const ratio = (Math.max(color, behind) + 0.05) / (Math.min(color, behind) + 0.05);
  if (ratio < least.ratio) least = { ratio, text };
}
return [least.ratio, least.text];
