import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Backend, ObjectKind, StagedFile } from '../../dist/backends/index.js';

/** Registers removal after each test of the folders that the yielded function makes. */
export function scratchFolders(): () => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
  });
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cbr-backends-'));
    made.push(folder);
    return folder;
  };
}

/** `size` bytes that depend on `seed` and repeat nowhere. */
export function sampleBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = (seed + 1) * 0x9e3779b1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + i) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function stagedFile(path: string, bytes: Uint8Array): Promise<StagedFile> {
  await writeFile(path, bytes);
  await chmod(path, 0o600);
  return { path, size: bytes.byteLength };
}

export async function namesOf(backend: Backend, kind: ObjectKind): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(kind)) names.push(name);
  return names.sort();
}

export async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

/** What a promise rejects with; a promise that resolves is an error. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it should have rejected');
    },
    (error) => error,
  );
}
