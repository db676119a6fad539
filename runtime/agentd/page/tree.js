// The subtasks of one agent, and the steps in each of them, as far as the daemon remembers them.

import { byId, fillFacts, make, millis, say } from './dom.js';

/** Cuts the steps of an agent into its subtasks: a step that began one opens it. */
export function subtasksOf(steps) {
  const subtasks = [];
  for (const step of steps) {
    const { flags, subtask } = step.answer;
    // The end of an episode is no step of a subtask. (A refused one is, although no action was given out.)
    if (flags.ended !== null) continue;
    const open = subtasks.at(-1);
    if (!open || flags.began) {
      // What was begun because of the loop rule or the cap closed the one before.
      if (open && flags.stuck) open.stuck = true;
      subtasks.push({ name: subtask, steps: [] });
    }
    subtasks.at(-1).steps.push(step);
  }
  return subtasks;
}

function stateOf(subtask, last, agent) {
  if (last && agent.phase === 'acted') return ['running', 'running'];
  if (subtask.stuck) return ['given up', 'bad'];
  if (last && agent.ending) {
    return agent.ending === 'success' ? ['won', 'good'] : [agent.ending === 'limit' ? 'out of actions' : 'lost', 'bad'];
  }
  return subtask.steps.at(-1)?.answer.flags.finished ? ['finished', 'good'] : ['done', ''];
}

function stepRow(step) {
  const { answer } = step;
  const action = make('span', '', answer.action ?? 'nothing');
  const chips = [['finished', 'good', 'finishes'], ['repaired', 'bad', 'repaired'], ['cut', 'bad', 'cut'], ['refused', 'bad', 'refused']];
  for (const [flag, kind, text] of chips) {
    if (answer.flags[flag]) action.append(make('span', `chip ${kind}`, text));
  }
  const row = make('li', '', make('span', 'n', `${answer.step}`), action, make('span', 'took', millis(step.micros)));
  if (answer.progress) row.append(make('span', 'why', answer.progress));
  return row;
}

/** The panel of one agent. */
export class Tree {
  constructor() {
    this.list = byId('tree');
    this.agent = null;
    this.entries = [];
  }

  /** Shows nobody; says why, if there is a reason. */
  clear(reason = 'Choose an agent to see what it is at.') {
    this.agent = null;
    this.entries = [];
    this.list.replaceChildren();
    say(byId('agent-title'), 'Agent');
    say(byId('agent-none'), reason);
    byId('agent-none').hidden = false;
    byId('agent-shown').hidden = true;
  }

  /** Shows an agent with those of its steps that are known. */
  update(agent, steps) {
    if (this.agent !== agent.id) {
      this.clear();
      this.agent = agent.id;
    }
    byId('agent-none').hidden = true;
    byId('agent-shown').hidden = false;
    say(byId('agent-title'), agent.id);
    say(byId('agent-task'), agent.task);
    const phases = { new: 'waits for its first observation', acted: 'waits for the result of its last action', ended: 'its episode is over' };
    fillFacts(byId('agent-facts'), [
      ['phase', phases[agent.phase]],
      ['progress', agent.progress],
      ['last action', agent.last_action],
      ['actions', `${agent.steps}, ${agent.subtask_steps} of them in this subtask`],
      ['reward', agent.reward === 0 ? null : `${agent.reward}`],
      ['not understood', agent.malformed === 0 ? null : `${agent.malformed} utterances, replaced by a harmless action`],
    ]);
    const subtasks = subtasksOf(steps);
    const named = new Set(subtasks.map((subtask) => subtask.name));
    const earlier = agent.completed.filter((name) => !named.has(name));
    const rows = earlier.map((name) => ({ key: `earlier ${name}`, name, state: ['steps not remembered', ''], steps: [] }));
    subtasks.forEach((subtask, n) => {
      const last = n === subtasks.length - 1;
      rows.push({ key: `${subtask.steps[0].number}`, name: subtask.name, state: stateOf(subtask, last, agent), steps: subtask.steps, open: last });
    });
    this.fill(rows);
  }

  /** Keeps the entries that are there, so that what a reader has opened stays open. */
  fill(rows) {
    const before = new Map(this.entries.map((entry) => [entry.key, entry]));
    const wasLast = this.entries.at(-1);
    this.entries = rows.map((row) => {
      const entry = before.get(row.key) ?? this.entry(row);
      say(entry.name, row.name);
      say(entry.state, row.state[0]);
      entry.state.className = `state ${row.state[1]}`;
      for (const step of row.steps.slice(entry.steps)) entry.list.append(stepRow(step));
      entry.steps = row.steps.length;
      return entry;
    });
    const last = this.entries.at(-1);
    // The running subtask is open; the one before closes when another begins.
    if (last && wasLast && last.key !== wasLast.key && wasLast.details) wasLast.details.open = false;
    const elements = this.entries.map((entry) => entry.element);
    if (elements.length !== this.list.children.length || elements.some((element, n) => element !== this.list.children[n])) {
      this.list.replaceChildren(...elements);
    }
  }

  entry(row) {
    const name = make('span', 'name');
    const state = make('span', 'state');
    if (row.steps.length === 0) {
      return { key: row.key, name, state, steps: 0, element: make('li', '', make('div', 'bare', name, state)) };
    }
    const list = make('ol', 'steps');
    const details = make('details', '', make('summary', '', name, state), list);
    details.open = row.open;
    return { key: row.key, name, state, list, details, steps: 0, element: make('li', '', details) };
  }
}
