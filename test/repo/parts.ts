import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type ObjectDigest, type SessionId, toHex } from '../../dist/core/index.js';
import {
  type Algorithms,
  type FinishedPack,
  type Keys,
  keysFrom,
  loadAlgorithms,
  type PackKind,
  PackWriter,
  type PackWriterOptions,
  type RecordContext,
} from '../../dist/repo/index.js';

/** Parts of a repository for tests that need no whole one. */

export const algorithms: Algorithms = await loadAlgorithms(false);
export const REPOSITORY_ID = Buffer.alloc(16, 0x17);
export const MASTER = Buffer.alloc(32, 0x42);

export const encryptedKeys: Keys = keysFrom({ repositoryId: REPOSITORY_ID, master: MASTER }, algorithms);
export const plainKeys: Keys = keysFrom({ repositoryId: REPOSITORY_ID }, algorithms);

/** Both modes of a repository, for `describe.each`. */
export const MODES: readonly { readonly mode: string; readonly keys: Keys }[] = [
  { mode: 'encrypted', keys: encryptedKeys },
  { mode: 'unencrypted', keys: plainKeys },
];

export function recordContext(keys: Keys, pad = false): RecordContext {
  return { keys, zstd: algorithms.zstd, compression: { zstd: algorithms.zstd, level: 3, pad } };
}

/** A folder that is removed when the tests of the file are over. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes that look random and are the same everywhere. */
export function noise(length: number, label: string | number): Buffer {
  return createHash('shake256', { outputLength: length }).update(String(label)).digest();
}

export function randomSession(): SessionId {
  return toHex(randomBytes(16)) as SessionId;
}

export function randomDigest(): ObjectDigest {
  return toHex(randomBytes(32)) as ObjectDigest;
}

/** A writer of packs into `folder`, and the packs made of `chunks`. */
export function packsOf(
  folder: string,
  keys: Keys,
  kind: PackKind,
  chunks: readonly Uint8Array[],
  options: Partial<PackWriterOptions> = {},
): FinishedPack[] {
  const writer = new PackWriter({
    kind,
    keys,
    algorithms,
    compressionLevel: 3,
    pad: false,
    blockBytes: 256 * 1024,
    packBytes: 32 * 2 ** 20,
    verify: true,
    stagingPath: () => join(folder, toHex(randomBytes(8))),
    ...options,
  });
  const ids = keys.chunkIds(kind);
  const packs: FinishedPack[] = [];
  for (const chunk of chunks) {
    const pack = writer.add(ids.digest(chunk), chunk);
    if (pack !== undefined) packs.push(pack);
  }
  const last = writer.finish();
  if (last !== undefined) packs.push(last);
  return packs;
}
