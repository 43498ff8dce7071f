import { createHash } from 'node:crypto';
import type { Backend, ObjectKind } from '../../backends/index.js';
import { DamagedError, type SessionId } from '../../core/index.js';
import type { Repository } from '../../repo/index.js';
import type { Snapshot } from '../../snapshot/index.js';
import { discIndex } from '../set/disc-index.js';
import { neededPacks } from '../set/needed-packs.js';
import { sharedObjects } from '../set/shared-objects.js';
import { giveUp, leftOut } from './left-out.js';

/** What is still needed of a repository, into a new one. */

export interface ConsolidateProgress {
  readonly objects: number;
  readonly totalObjects: number;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly current: string;
}

export interface Consolidated {
  readonly packs: number;
  /** Stored bytes of the packs. */
  readonly bytes: number;
  readonly snapshots: number;
  /** Snapshots that are known of, that nobody forgot, and that are not among them. */
  readonly leftOut: readonly SessionId[];
}

/** Each can be read when what it names is there. */
const BEFORE_PACKS: readonly ObjectKind[] = ['config', 'keys', 'policies'];

/**
 * Copies what the given snapshots need into an empty place, as it is stored: the same keys, ids and packs, but only those packs that
 * something of the snapshots is in. Snapshots come last. Those that are known of and not given are given up there, and told. Rejects as `neededPacks`, and when a pack is not what was written.
 */
export async function consolidate(
  repository: Repository,
  snapshots: readonly Snapshot[],
  target: Backend,
  signal: AbortSignal,
  onProgress: (progress: ConsolidateProgress) => void,
): Promise<Consolidated> {
  const { backend } = repository;
  const needed = await neededPacks(repository, snapshots, signal);
  const taken = new Set(snapshots.map(({ id }) => id));
  const left = await leftOut(repository, taken);
  const shared = await sharedObjects(backend, taken, signal);
  const copy = async (kind: ObjectKind, name: string): Promise<void> => {
    await target.write(kind, name, await backend.read(kind, name, undefined, { signal }), { signal });
  };
  for (const { kind, name } of shared) if (BEFORE_PACKS.includes(kind)) await copy(kind, name);
  const packs = [...needed.tree, ...needed.data];
  const totalBytes = packs.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  for (const [i, { name, size }] of packs.entries()) {
    signal.throwIfAborted();
    const stored = await backend.read('packs', name, undefined, { signal });
    if (sha256(stored) !== name)
      throw new DamagedError(`packs/${name}`, 'its bytes are not those that were written (SHA-256 differs)');
    await target.write('packs', name, stored, { signal, sha256: name });
    bytes += size;
    onProgress({ objects: i + 1, totalObjects: packs.length, bytes, totalBytes, current: name });
  }
  const author = { kind: 'session', session: snapshots.at(-1)!.id } as const;
  for (const { name, bytes: segment } of await discIndex(repository, packs, author, signal)) {
    await target.write('index', name, segment, { signal, sha256: name });
  }
  for (const { kind, name } of shared) if (kind === 'notes') await copy(kind, name);
  // Who finds a snapshot gone without one of these takes it for lost.
  for await (const { name } of backend.list('forgotten', { signal })) await copy('forgotten', name);
  // Before those that saw them.
  await giveUp(repository, target, left.witnessed);
  for (const { kind, name } of shared) if (kind === 'snapshots') await copy(kind, name);
  return { packs: packs.length, bytes, snapshots: snapshots.length, leftOut: left.snapshots };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
