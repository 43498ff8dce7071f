import type { ObjectKind } from '../backends/index.js';
import type { DamagedObject } from '../repo/index.js';
import type { Problem } from './problem.js';

const COPY =
  'Put it back from a mirror or another copy of the repository: it has the same bytes under the same name.';

/** What is told of an object that does not prove itself right. */
export function damageProblem({ kind, object, reason }: DamagedObject): Problem {
  return { severity: 'error', about: 'repository', code: 'damaged', object, reason, hint: hintFor(kind) };
}

function hintFor(kind: ObjectKind): string {
  switch (kind) {
    case 'packs':
      return `${COPY} Without one: cbr check --read-data names the files it reaches.`;
    case 'keys':
      return `${COPY} Or, as long as another password opens the repository: cbr key remove, and cbr key add.`;
    case 'config':
    case 'leases':
    case 'snapshots':
    case 'forgotten':
      return `${COPY} Prune nothing before that; cbr check tells what it means.`;
    case 'sessions':
    case 'marks':
      return 'No content depends on it. A prune tells if it stands in its way.';
    default:
      return `${COPY} cbr check tells what it means.`;
  }
}
