// The page: asks the daemon once a second while somebody looks, and shows what it says.

import { ask, forgetToken, hasToken, useToken } from './api.js';
import { Curve } from './curves.js';
import { byId, bytes, duration, fillFacts, make, millis, quantile, say } from './dom.js';
import { Tree } from './tree.js';

/** Between two questions. */
const PAUSE = 1000;
/** Questions between two looks at what changes slowly. */
const SLOWLY = 5;
/** Steps that are kept here; the daemon remembers no more. */
const KEPT = 1024;
/** Agents in the list. */
const LISTED = 100;

const known = { state: null, models: [], agents: null, agent: null, steps: [], last: 0 };
let chosen = null;
/** A choice of the reader's; until there is one, an agent at work is shown, and the next when it is done. */
let pinned = false;

const milliseconds = (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;
const latency = new Curve(byId('latency'), [
  ['answered after', (step) => step.micros / 1000],
  ['of it the policy', (step) => step.answer.micros / 1000],
], milliseconds);
const tokens = new Curve(byId('tokens'), [
  ['frames', (step) => step.answer.tokens.prompt],
  ['computed anew', (step) => step.answer.tokens.decoded],
  ['said', (step) => step.answer.tokens.generated],
], (value) => `${value}`);
const tree = new Tree();

/** Asks for what is new. */
async function look(turn) {
  known.state = await ask('/v1/stride/state');
  if (turn % (4 * SLOWLY) === 0) known.models = (await ask('/v1/stride/models')).models;
  const made = await ask(`/v1/stride/steps?after=${known.last}&limit=${KEPT}`);
  if (made.last < known.last) {
    // The daemon was started anew and counts from one again.
    known.last = 0;
    known.steps = [];
    return look(0);
  }
  known.last = made.last;
  known.steps = [...known.steps, ...made.steps].slice(-KEPT);
  const news = made.steps.length > 0;
  if (news || turn % SLOWLY === 0) known.agents = await ask(`/v1/agents?order=used&limit=${LISTED}`);
  if (!pinned && (known.agent === null || known.agent.phase === 'ended')) {
    const working = known.steps.findLast((step) => step.answer.flags.ended === null)?.agent;
    chosen = working ?? known.agents.agents[0]?.id ?? null;
  }
  const stale = known.agent?.id !== chosen || made.steps.some((step) => step.agent === chosen) || turn % SLOWLY === 0;
  if (chosen && stale) {
    known.agent = await ask(`/v1/agents/${encodeURIComponent(chosen)}`).catch((refusal) => {
      if (refusal.status !== 404) throw refusal;
      return null;
    });
  }
}

function figure(value, label) {
  return make('li', '', make('strong', '', value), make('span', '', label));
}

function showFigures(state) {
  const recent = known.steps.slice(-200).filter((step) => step.answer.flags.ended === null);
  const took = recent.map((step) => step.micros);
  const sum = (value) => recent.reduce((all, step) => all + value(step), 0);
  const policy = sum((step) => step.answer.micros) / 1e6;
  const share = sum((step) => step.answer.tokens.decoded) / Math.max(1, sum((step) => step.answer.tokens.prompt));
  const shown = [
    [`${state.agents} of ${state.capacity}`, 'agents'],
    [state.steps.toLocaleString('en'), `steps in ${duration(state.now - state.started_at)}`],
  ];
  if (took.length > 0) {
    shown.push([millis(quantile(took, 0.5)), `a step, p95 ${millis(quantile(took, 0.95))}`]);
    shown.push([(recent.length / Math.max(1e-6, policy)).toFixed(1), 'steps a second of the policy']);
    shown.push([`${Math.round(100 * share)} %`, 'of the tokens computed anew']);
  }
  const resident = state.daemon.resident_bytes + (state.worker?.resident_bytes ?? 0);
  shown.push([bytes(resident), `memory of ${bytes(state.device.budget_bytes)}`]);
  byId('figures').replaceChildren(...shown.map(([value, label]) => figure(value, label)));
}

function showAgents({ agents, total }, now) {
  const list = byId('agents');
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const lasts = new Map(known.steps.map((step) => [step.agent, step.answer]));
  const wanted = agents.map((agent) => {
    const row = rows.get(agent.id) ?? agentRow(agent.id);
    const [button] = row.children;
    const [dot, , when, last] = button.children;
    dot.className = agent.ended ? 'dot' : 'dot live';
    say(when, agent.ended ? 'over' : `${duration(now - agent.used_at)} ago`);
    const answer = lasts.get(agent.id);
    say(last, answer ? (answer.action ?? `${answer.flags.ended ?? 'refused'}: ${answer.subtask}`) : '');
    button.setAttribute('aria-current', `${agent.id === chosen}`);
    return row;
  });
  if (wanted.length !== list.children.length || wanted.some((row, n) => row !== list.children[n])) {
    const focused = document.activeElement;
    list.replaceChildren(...wanted);
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }
  byId('agents-empty').hidden = total > 0;
  say(byId('agents-more'), total > agents.length ? `${total - agents.length} more, used longer ago` : '');
}

function agentRow(id) {
  const button = make('button', '', make('span', 'dot'), make('span', 'id', id), make('span', 'when'), make('span', 'last'));
  button.type = 'button';
  button.addEventListener('click', () => {
    location.hash = `agent=${id}`;
  });
  const row = make('li', '', button);
  row.dataset.id = id;
  return row;
}

function showModel(state) {
  const { model } = state.readiness;
  fillFacts(byId('model'), [
    ['serves', model?.name ?? 'none'],
    ['file', model && `${bytes(model.bytes)}, SHA-256 ${model.sha256.slice(0, 16)}\u2026`],
    ['context', model && `${model.context_tokens} tokens`],
    ['in the folder', known.models.join(', ')],
    ['worker', state.worker ? `process ${state.worker.pid}, ${bytes(state.worker.resident_bytes)}, ${state.worker.files} files` : 'none'],
    ['workers lost', `${state.workers_lost}`],
  ]);
}

function showDevice({ device, daemon, profile, version, now, started_at: started }) {
  fillFacts(byId('device'), [
    ['profile', profile],
    ['memory', device.memory_bytes && `${bytes(device.memory_available_bytes)} free of ${bytes(device.memory_bytes)}`],
    ['load', device.load === null ? null : `${device.load.toFixed(2)} on ${device.cores} cores`],
    ['temperature', device.celsius === null ? null : `${device.celsius.toFixed(0)} °C`],
    ['state', `${bytes(device.store_bytes)}, ${bytes(device.disk_free_bytes) ?? 'unknown'} free beside it`],
    ['daemon', `version ${version}, process ${daemon.pid}, ${bytes(daemon.resident_bytes)}, ${daemon.files} files`],
    ['runs for', duration(now - started)],
  ]);
}

function show() {
  const { state } = known;
  const { ready, reason, model } = state.readiness;
  const badge = byId('ready');
  say(badge, ready ? 'ready' : 'not ready');
  badge.className = `badge ${ready ? 'good' : 'bad'}`;
  say(byId('serving'), ready ? model?.name ?? '' : reason ?? '');
  byId('content').hidden = false;
  showFigures(state);
  showAgents(known.agents, state.now);
  const steps = known.steps.filter((step) => step.agent === chosen);
  if (known.agent) tree.update(known.agent, steps);
  else tree.clear(chosen ? `There is no agent ${chosen} any more.` : undefined);
  const only = byId('only');
  only.disabled = chosen === null;
  // Ends of episodes ask no policy and would only be zeros.
  const drawn = (only.checked && chosen ? steps : known.steps).filter((step) => step.answer.flags.ended === null);
  latency.update(drawn);
  tokens.update(drawn);
  showModel(state);
  showDevice(state);
}

function complain(text) {
  const notice = byId('notice');
  notice.hidden = text === '';
  say(notice, text);
}

/** Something was refused: says so, asks for a token where one is missing, and returns the time to wait. */
function refused(refusal) {
  if (refusal.status === undefined) throw refusal;
  const locked = refusal.status === 401;
  byId('entry').hidden = !locked;
  if (locked) {
    byId('content').hidden = true;
    complain(hasToken() ? refusal.message : '');
    forgetToken();
  } else {
    complain(refusal.message);
  }
  const badge = byId('ready');
  say(badge, locked ? 'locked' : 'no answer');
  badge.className = 'badge bad';
  say(byId('serving'), '');
  // A form that is open waits for its reader.
  return locked ? null : refusal.wait * 1000;
}

let turn = 0;
let timer = null;
/** One look at a time: two would both take in the same steps. */
let looking = false;
let again = false;

async function run() {
  if (looking) {
    again = true;
    return;
  }
  clearTimeout(timer);
  timer = null;
  if (document.hidden) return;
  looking = true;
  let pause = PAUSE;
  try {
    await look(turn);
    turn += 1;
    complain('');
    byId('entry').hidden = true;
    show();
  } catch (refusal) {
    turn = 0;
    pause = refused(refusal);
  } finally {
    looking = false;
  }
  if (again) pause = 0;
  again = false;
  if (pause !== null) timer = setTimeout(run, pause);
}

function choose() {
  const id = /^#agent=([A-Za-z0-9_-]{1,32})$/.exec(location.hash)?.[1];
  pinned = id !== undefined;
  if (pinned) chosen = id;
}

addEventListener('hashchange', () => {
  choose();
  run();
});
document.addEventListener('visibilitychange', () => {
  if (timer === null) run();
});
byId('only').addEventListener('change', () => {
  if (known.state) show();
});
byId('entry').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('token');
  if (useToken(field.value.trim())) {
    field.value = '';
    run();
  } else {
    complain('That is no token: it has printable characters only.');
  }
});
choose();
run();
