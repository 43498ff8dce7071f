// @ts-check
/** What can go wrong between a client and its store, and a choice of it that a seed repeats. */

/**
 * refused: the connection is reset and for a moment no other can be made · reset-before: before the store sees the request ·
 * reset-request: in the middle of the request's body · reset-response: in the middle of the answer's body · error-500 and
 * slow-down: answered without asking the store · silence: no answer, ever · truncated: the answer's body ends early ·
 * corrupted: one bit of the answer's body is another · duplicated: the store gets the request twice, the client the second
 * answer · lost-answer: the store has carried the request out, the client sees a reset.
 */
export const FAULT_KINDS = /** @type {const} */ ([
  'refused',
  'reset-before',
  'reset-request',
  'reset-response',
  'error-500',
  'slow-down',
  'silence',
  'truncated',
  'corrupted',
  'duplicated',
  'lost-answer',
]);

/**
 * @typedef {import('node:http').IncomingHttpHeaders} IncomingHttpHeaders
 * @typedef {(typeof FAULT_KINDS)[number]} FaultKind
 * @typedef {{kind: FaultKind, at?: number}} Fault  `at`: where in a body, from 0 to 1 (exclusive); a half unless given.
 * @typedef {{
 *   number: number,
 *   operation: string,
 *   method: string,
 *   path: string,
 *   headers: IncomingHttpHeaders,
 * }} SeenRequest  Numbered from 1.
 * @typedef {(request: SeenRequest) => Fault | undefined} FaultPlan
 */

/**
 * Faults at random, the same for the same seed and order of requests.
 *
 * A byte is corrupted in the answers to GetObject only: what is in an object has digests of its own, while a listing with
 * another name in it cannot be told from a true one. Connections guard those (TCP's checksum, TLS).
 * @param {number} seed
 * @param {{rate: number, limit?: number, kinds?: readonly FaultKind[]}} choice share of the requests, and at most how many
 * @returns {FaultPlan}
 */
export function randomFaults(seed, { rate, limit = Number.POSITIVE_INFINITY, kinds = FAULT_KINDS }) {
  const draw = randomNumbers(seed);
  let left = limit;
  return ({ operation }) => {
    if (left <= 0 || draw() >= rate) return undefined;
    const possible = kinds.filter((kind) => kind !== 'corrupted' || operation === 'GetObject');
    const kind = possible[Math.floor(draw() * possible.length)];
    if (kind === undefined) return undefined;
    left--;
    return { kind, at: draw() };
  };
}

/**
 * Numbers from 0 to 1, exclusive (mulberry32).
 * @param {number} seed
 */
export function randomNumbers(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
