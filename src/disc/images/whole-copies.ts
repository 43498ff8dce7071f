import { createHash } from 'node:crypto';
import { type ObjectKind, objectPathOf } from '../../backends/index.js';
import { DamagedError } from '../../core/index.js';
import { isProven } from '../../repo/index.js';
import type { DiscFiles } from './disc-files.js';

/** Read and hashed at once. */
const PIECE_BYTES = 4 * 2 ** 20;

/** Which copies of objects are whole. Each is read once for it. */
export class WholeCopies {
  private readonly verdicts = new WeakMap<DiscFiles, Map<string, Promise<boolean>>>();

  /**
   * Whether the copy of an object on a disc is what was written. It is not where it cannot be read. Rejects when the disc has gone
   * meanwhile, and with the signal's reason.
   */
  isWhole(files: DiscFiles, kind: ObjectKind, name: string, signal?: AbortSignal): Promise<boolean> {
    const object = objectPathOf(kind, name);
    let verdicts = this.verdicts.get(files);
    if (verdicts === undefined) {
      verdicts = new Map();
      this.verdicts.set(files, verdicts);
    }
    const known = verdicts.get(object);
    if (known !== undefined) return known;
    const verdict = judge(files, kind, name, object, signal);
    verdicts.set(object, verdict);
    // Nothing can be said of a disc that has been taken out.
    verdict.catch(() => this.verdicts.get(files)?.delete(object));
    return verdict;
  }
}

async function judge(
  files: DiscFiles,
  kind: ObjectKind,
  name: string,
  object: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const size = files.sizes.get(object)!;
  try {
    if (kind !== 'packs') return isProven(kind, name, await files.read(object, 0, size));
    const hash = createHash('sha256');
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      signal?.throwIfAborted();
      hash.update(await files.read(object, offset, Math.min(PIECE_BYTES, size - offset)));
    }
    return hash.digest('hex') === name;
  } catch (error) {
    if (error instanceof DamagedError && (await files.isStill())) return false;
    throw error;
  }
}
