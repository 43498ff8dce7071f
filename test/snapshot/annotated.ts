import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { type Backend, type BackendCall, withFaults } from '../../dist/backends/index.js';
import type { SessionId } from '../../dist/core/index.js';
import { annotateSnapshot, type SnapshotChange } from '../../dist/snapshot/index.js';
import { forgedSnapshot } from './forged-snapshot.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** A repository whose snapshots get notes, and what can come in between. */

export const NOW = 1_800_000_000;
export const BY = 'tester@here';
export const DAY = 86_400;

/** A repository with one snapshot that no source was read for. */
export async function prepared(changes: Parameters<Scratch['init']>[0] = {}) {
  const at = await scratchRepository(changes);
  const id = await at.use((repository) => forgedSnapshot(repository, []));
  return { at, id };
}

export type Opening = Parameters<Scratch['use']>[1];

export function annotate(
  at: Scratch,
  id: SessionId,
  change: SnapshotChange,
  opening: Opening = {},
  now = NOW,
) {
  return at.use((repository) => annotateSnapshot(repository, { id }, change, BY, now), opening);
}

export async function only(at: Scratch, opening: Opening = {}) {
  const [snapshot, ...more] = await at.snapshots(opening);
  expect(more).toEqual([]);
  return snapshot!;
}

/** What a machine sees that never was here. */
export const elsewhere = (at: Scratch, name = 'another cache'): Opening => ({
  cacheRoot: join(at.root, name),
});

export const notePath = (at: Scratch, id: string, number: number): string =>
  join(at.repo, 'notes', id, String(number));

export function numbersOf(at: Scratch, id: string): number[] {
  const folder = join(at.repo, 'notes', id);
  return existsSync(folder)
    ? readdirSync(folder)
        .map(Number)
        .sort((a, b) => a - b)
    : [];
}

/** Objects are read-only, which only root may ignore: a new file takes its place. */
export function put(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, bytes);
}

export function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  put(path, bytes);
}

/** A medium that does something before it carries out a write of a note. */
export function beforeNotes(action: (write: number) => Promise<unknown>): Opening {
  let writes = 0;
  return {
    wrapBackend: (medium: Backend) =>
      Object.assign(Object.create(medium) as Backend, {
        write: async (...call: Parameters<Backend['write']>) => {
          if (call[0] === 'notes') await action(++writes);
          return medium.write(...call);
        },
      }),
  };
}

export function recording(calls: BackendCall[]): Opening {
  return {
    wrapBackend: (medium) =>
      withFaults(medium, (call) => {
        calls.push(call);
        return undefined;
      }),
  };
}
