// Curves of the last steps: a line for each series over the same steps, from zero.

import { draw, make, say } from './dom.js';

/** Steps that a curve shows at most. */
const SHOWN = 120;
const HEIGHT = 190;
const BOX = { left: 46, right: 8, top: 10, bottom: 22 };
const CLASSES = ['first', 'second', 'third'];

/** The next round number from a value on; a quarter of it is round enough. */
function roundUp(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((factor) => factor * ten).find((round) => round >= value);
}

/** A curve in a figure. `series` are pairs of a name and a function from a step to its value; `show` writes a value. */
export class Curve {
  constructor(figure, series, show) {
    this.series = series;
    this.show = show;
    this.steps = [];
    this.width = 0;
    this.svg = draw('svg', { role: 'img', height: HEIGHT });
    this.plot = draw('g');
    this.cursor = draw('line', { class: 'cursor', y1: BOX.top, y2: HEIGHT - BOX.bottom, visibility: 'hidden' });
    this.svg.append(this.plot, this.cursor);
    this.names = series.map(() => make('span'));
    const legend = this.names.map((name, n) => {
      const sample = draw('svg', { viewBox: '0 0 28 10', 'aria-hidden': 'true' },
        draw('line', { class: `line ${CLASSES[n]}`, x1: 0, x2: 28, y1: 5, y2: 5 }));
      return make('li', '', sample, name);
    });
    this.reading = make('p', 'reading');
    figure.append(this.svg, make('ul', 'legend', ...legend), this.reading);
    this.svg.addEventListener('pointermove', (event) => this.read(event));
    this.svg.addEventListener('pointerleave', () => this.unread());
  }

  /** Draws the last of these steps. */
  update(steps) {
    this.steps = steps.slice(-SHOWN);
    // Drawn at its own size, so that a phone's letters are as large as any.
    this.width = Math.max(240, this.svg.clientWidth);
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${HEIGHT}`);
    const values = this.series.map(([, value]) => this.steps.map(value));
    const highest = roundUp(Math.max(1e-3, ...values.flat()) || 1);
    const y = (value) => BOX.top + (1 - value / highest) * (HEIGHT - BOX.top - BOX.bottom);
    const parts = [];
    for (let n = 0; n <= 4; n += 1) {
      const value = (highest * n) / 4;
      parts.push(draw('line', { class: 'grid', x1: BOX.left, x2: this.width - BOX.right, y1: y(value), y2: y(value) }));
      const label = Number(value.toPrecision(3)).toLocaleString('en');
      parts.push(draw('text', { x: BOX.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, label));
    }
    if (this.steps.length > 0) {
      const ends = [[BOX.left, 'start', this.steps[0]], [this.width - BOX.right, 'end', this.steps.at(-1)]];
      for (const [x, anchor, step] of this.steps.length > 1 ? ends : ends.slice(1)) {
        parts.push(draw('text', { x, y: HEIGHT - 6, 'text-anchor': anchor }, `step ${step.number}`));
      }
    }
    values.forEach((line, n) => {
      const points = line.map((value, at) => `${this.x(at).toFixed(1)},${y(value).toFixed(1)}`);
      // A single step is a short line, else it could not be seen.
      if (points.length === 1) points.unshift(`${BOX.left},${y(line[0]).toFixed(1)}`);
      parts.push(draw('polyline', { class: `line ${CLASSES[n]}`, points: points.join(' ') }));
      const last = line.length > 0 ? ` ${this.show(line.at(-1))}` : '';
      say(this.names[n], `${this.series[n][0]}${last}`);
    });
    this.plot.replaceChildren(...parts);
    const what = this.series.map(([name], n) => `${name} ${values[n].length > 0 ? this.show(values[n].at(-1)) : 'none'}`);
    this.svg.setAttribute('aria-label', `The last ${this.steps.length} steps; of the last one: ${what.join(', ')}`);
  }

  x(at) {
    const last = Math.max(1, this.steps.length - 1);
    const share = this.steps.length > 1 ? at / last : 1;
    return BOX.left + share * (this.width - BOX.left - BOX.right);
  }

  read(event) {
    if (this.steps.length === 0) return;
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.width;
    const share = (x - BOX.left) / (this.width - BOX.left - BOX.right);
    const at = Math.round(Math.min(1, Math.max(0, share)) * (this.steps.length - 1));
    const step = this.steps[at];
    this.cursor.setAttribute('x1', this.x(at));
    this.cursor.setAttribute('x2', this.x(at));
    this.cursor.setAttribute('visibility', 'visible');
    const values = this.series.map(([name, value]) => `${name} ${this.show(value(step))}`);
    say(this.reading, `step ${step.number}, ${step.agent}: ${values.join(', ')}`);
  }

  unread() {
    this.cursor.setAttribute('visibility', 'hidden');
    say(this.reading, '');
  }
}
