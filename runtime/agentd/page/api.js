// Requests to the daemon that served this page.

const KEY = 'stride-token';

/** An answer that is no answer. */
export class Refusal extends Error {
  constructor(status, message, wait) {
    super(message);
    this.status = status;
    /** Seconds that the daemon asks to wait. */
    this.wait = wait;
  }
}

/** Remembers a token for this tab; false when it cannot be one. */
export function useToken(token) {
  if (!/^[!-~]{1,512}$/.test(token)) return false;
  sessionStorage.setItem(KEY, token);
  return true;
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

export const hasToken = () => sessionStorage.getItem(KEY) !== null;

/** The JSON at a path of the API. */
export async function ask(path) {
  const headers = { accept: 'application/json' };
  const token = sessionStorage.getItem(KEY);
  if (token) headers.authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch {
    throw new Refusal(0, 'The daemon does not answer.', 2);
  }
  if (response.ok) return response.json();
  const body = await response.json().catch(() => ({}));
  const message = body.error?.message ?? `The daemon answered ${response.status}.`;
  throw new Refusal(response.status, message, Number(response.headers.get('retry-after')) || 1);
}
