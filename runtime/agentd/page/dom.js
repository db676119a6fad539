// Elements and numbers. Text from models and clients goes through `textContent` only; nothing on this page is parsed as HTML.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** An element with classes and children; strings among the children become text. */
export function make(tag, classes = '', ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
}

/** A drawn element with attributes and children. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Writes a text where it has changed, so that nothing moves under a reader's selection. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Fills a list of terms: pairs of a term and a text; a text that is missing leaves its term out. */
export function fillFacts(list, facts) {
  const shown = facts.filter(([, text]) => text !== null && text !== undefined && text !== '');
  const terms = shown.map(([term]) => term).join('\n');
  if (list.dataset.terms !== terms) {
    list.dataset.terms = terms;
    list.replaceChildren(...shown.flatMap(([term]) => [make('dt', '', term), make('dd')]));
  }
  shown.forEach(([, text], n) => say(list.children[2 * n + 1], text));
}

/** Bytes as people say them. */
export function bytes(count) {
  if (count === null || count === undefined) return null;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Microseconds as milliseconds, with three digits. */
export function millis(micros) {
  const value = micros / 1000;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** Seconds as the largest unit that fits. */
export function duration(seconds) {
  const count = Math.max(0, Math.round(seconds));
  if (count < 60) return `${count} s`;
  if (count < 3600) return `${Math.floor(count / 60)} min`;
  if (count < 172800) return `${Math.floor(count / 3600)} h`;
  return `${Math.floor(count / 86400)} days`;
}

/** The value below which a share of the values lies; `null` of none. */
export function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
