import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import {
  forgetSnapshot,
  type OpenOptions,
  type PruneOptions,
  type PruneSummary,
  type Repository,
} from '../../dist/repo/index.js';
import { pruneRepository } from '../../dist/snapshot/index.js';
import { openIndependently } from '../repo/independent-reader.js';
import { randomContent } from './random-content.js';
import type { Scratch } from './scratch-repository.js';
import { type Facts, factsOf } from './tree-facts.js';

/** Short ways to forget and to prune, and to tell what became of it without any code of prune. */

/** Nothing may stay, nobody is waited for, and whoever is found has died. */
export function pruneOptions(changes: Partial<PruneOptions> = {}): PruneOptions {
  return {
    maxUnused: { fraction: 0 },
    wait: false,
    dryRun: false,
    signal: new AbortController().signal,
    timing: {
      clock: () => performance.now(),
      sleep: async (ms, signal) => {
        await setTimeout(ms, undefined, { signal });
      },
      timeToLiveMs: 600_000,
      pollMs: 10,
      heartbeatMs: 0,
    },
    examine: () => 'dead',
    ...changes,
  };
}

export const pruneIn = (repository: Repository, changes: Partial<PruneOptions> = {}): Promise<PruneSummary> =>
  pruneRepository(repository, pruneOptions(changes));

export const prune = (
  its: Scratch,
  changes: Partial<PruneOptions> = {},
  opening: Partial<OpenOptions> = {},
): Promise<PruneSummary> => its.use((repository) => pruneIn(repository, changes), opening);

export const forget = (its: Scratch, id: string, opening: Partial<OpenOptions> = {}) =>
  its.use((repository) => forgetSnapshot(repository, id as SessionId, 'tester', 1_000_000), opening);

/** Files of random content below `folder` of the source, of which none is like one with another seed. */
export function writeFiles(its: Scratch, folder: string, seed: number, count: number, bytes: number): void {
  mkdirSync(join(its.source, folder), { recursive: true });
  for (let i = 0; i < count; i++) {
    writeFileSync(join(its.source, folder, `file ${i}`), randomContent(1000 * seed + i, bytes));
  }
}

/** Names of the objects of a kind, below its folder. */
export function objectsIn(its: Scratch, kind: string): string[] {
  const folder = join(its.repo, kind);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => (kind === 'packs' ? path.slice(3) : path))
    .sort();
}

export interface Account {
  /** Ids of the valid snapshots; all that they reach was there. */
  readonly snapshots: readonly string[];
  /** Packs that no counting segment names. */
  readonly strays: readonly string[];
  /** Packs of which no snapshot reaches anything. */
  readonly idle: readonly string[];
  /** Plain bytes of chunks that no snapshot reaches, or that are there twice. */
  readonly unused: number;
  /** The same, as a part of the stored bytes of their packs. */
  readonly storedUnused: number;
  readonly stored: number;
}

/** What the repository holds and how much of it is of use, by a reader that shares no line with the program. */
export function accountOf(its: Scratch): Account {
  const { packs, reached, snapshots } = openIndependently(its.repo, undefined);
  const counted = new Set<string>();
  const idle: string[] = [];
  let [unused, storedUnused, stored] = [0, 0, 0];
  for (const [name, chunks] of packs) {
    const { size } = statSync(join(its.repo, 'packs', name.slice(0, 2), name));
    let [all, lying] = [0, 0];
    for (const [id, length] of chunks) {
      all += length;
      if (!reached.has(id) || counted.has(id)) lying += length;
      counted.add(id);
    }
    if (![...chunks.keys()].some((id) => reached.has(id))) idle.push(name);
    unused += lying;
    storedUnused += (size * lying) / all;
    stored += size;
  }
  const strays = objectsIn(its, 'packs').filter((name) => !packs.has(name));
  return { snapshots: snapshots.map(({ id }) => id), strays, idle, unused, storedUnused, stored };
}

/** Nothing that no snapshot reaches, and nothing left of prunes and sessions. */
export function expectNoGarbage(its: Scratch): void {
  expect(accountOf(its)).toMatchObject({ strays: [], unused: 0 });
  for (const kind of ['marks', 'sessions', 'tmp']) expect(namesIn(its, kind), kind).toEqual([]);
  expect(namesIn(its, 'leases').filter((name) => name !== 'prune')).toEqual([]);
}

function namesIn(its: Scratch, kind: string): string[] {
  try {
    return readdirSync(join(its.repo, kind));
  } catch {
    return [];
  }
}

/** That a snapshot brings back exactly what was there when it was taken. */
export async function expectRestored(
  its: Scratch,
  id: string,
  facts: Facts,
  opening: Partial<OpenOptions> = {},
): Promise<void> {
  const { target, summary, problems } = await its.restore(id, { verify: false, threads: 1 }, opening);
  expect(problems).toEqual([]);
  expect(summary.lost).toBe(0);
  expect(factsOf(target)).toEqual(facts);
}

export async function expectClean(its: Scratch, readData = 100, opening: Partial<OpenOptions> = {}) {
  const { findings } = await its.check(readData, { cacheRoot: join(its.root, 'cache of check'), ...opening });
  expect(findings).toEqual([]);
}
