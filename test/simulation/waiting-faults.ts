import { forwardTo } from '../../dist/backends/forward.js';
import { type ChunkId, ObjectNotFoundError } from '../../dist/core/index.js';
import { walkReachable } from '../../dist/snapshot/prune/reach.js';
import { WAITING } from './bias.js';
import type { PlantedFault } from './faults.js';
import type { WrapBackend } from './machine.js';
import type { World } from './world.js';

/** Rules of the waiting period that are broken on purpose; the second table of docs/protocol.md. */

const noSessions: WrapBackend = ({ inner }) => ({
  ...forwardTo(inner),
  list: (kind, options) => (kind === 'sessions' ? nothing() : inner.list(kind, options)),
});

async function* nothing(): AsyncGenerator<never> {}

const blindToOutcomes: WrapBackend = ({ inner }) => ({
  ...forwardTo(inner),
  stat: async (kind, name, options) => {
    if (kind === 'snapshots') throw new ObjectNotFoundError(`${kind}/${name}`);
    return inner.stat(kind, name, options);
  },
});

/** The roots that were valid when the last mark was written. */
const known = new WeakMap<World, ReadonlySet<ChunkId>>();

const notingMarks: WrapBackend = ({ inner, world }) => ({
  ...forwardTo(inner),
  write: async (kind, ...call) => {
    await inner.write(kind, ...call);
    if (kind !== 'marks') return;
    const { oracle } = world;
    known.set(world, new Set(oracle.valid().map((sid) => oracle.rootOf(sid)!.tree.id)));
  },
});

export const WAITING_FAULTS: readonly PlantedFault[] = [
  {
    number: 101,
    name: 'a writer commits without looking, however long it slept',
    bias: {
      ...WAITING,
      prunes: [6, 8],
      pruners: [1, 1],
      mostDelaySteps: 250,
      sleepRate: 0.03,
      mostSleepSteps: 2500,
    },
    within: 2000,
    sleepsUnnoticed: true,
    wrap: (role) => (role === 'writer' ? blindToOutcomes : undefined),
  },
  {
    number: 102,
    name: 'sessions are not waited for',
    bias: WAITING,
    within: 3000,
    from: 70,
    wrap: (role) => (role === 'pruner' ? noSessions : undefined),
  },
  {
    number: 103,
    name: 'what is marked goes without a second walk',
    bias: {
      ...WAITING,
      writers: [3, 3],
      forgets: [4, 6],
      parentRate: 0.5,
      changeRate: 0.7,
      sleepRate: 0.03,
      mostSleepSteps: 180,
    },
    within: 3000,
    from: 250,
    wrap: (role) => (role === 'pruner' ? notingMarks : undefined),
    walk:
      ({ world }) =>
      async (root, visitor) => {
        if (known.get(world)?.has(root.id) !== false) await walkReachable(root, visitor);
      },
  },
];
