import { createHash } from 'node:crypto';
import { CbrError, DamagedError, MIB, messageOf, readAhead, toHex } from '../core/index.js';
import { DIGEST_BYTES } from '../repo/index.js';
import { parseChecksums, SHA256SUMS_BYTES, SHA256SUMS_FILE } from './checksums.js';
import type { IsoFile } from './iso/iso-volume.js';
import { readIso, readIsoFile } from './iso/read-iso.js';
import type { SectorSource } from './iso/sectors.js';
import { type DiscLabel, LABEL_BYTES, LABEL_FILE, parseLabel } from './label.js';
import { objectAt } from './object-at.js';
import { FILES_BESIDE } from './set/disc-layout.js';

/** Whether a disc is still what was written. Needs no repository and no key. */

export interface DamagedFile {
  readonly path: string;
  readonly reason: string;
}

export interface DiscVerdict {
  /** Undefined when it cannot be read: that is among the damage then. */
  readonly label: DiscLabel | undefined;
  readonly volumeId: string;
  /** Files that were read, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files whose bytes differ from their hash, cannot be read, are not there, or have no hash though cbr has put them there; by path. */
  readonly damaged: readonly DamagedFile[];
  /** Other files that have no hash. */
  readonly strangers: readonly string[];
}

export interface VerifyProgress {
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly current: string;
}

/** Read at a time; the next pieces are read while one is hashed. */
const PIECE_BYTES = 2 * MIB;
const PIECES_AHEAD = 2;

/**
 * Reads every file of a disc in the order in which they lie on it, and compares it with SHA256SUMS. `subject` names the disc in
 * messages. Rejects with DamagedError when the file system or SHA256SUMS cannot be read, with `not-a-repository` for a disc that
 * cbr has not made, and with the signal's reason.
 */
export async function verifyDisc(
  source: SectorSource,
  subject: string,
  signal: AbortSignal,
  onProgress?: (progress: VerifyProgress) => void,
): Promise<DiscVerdict> {
  const { volumeId, files, damage } = await readIso(source);
  const expected = await readChecksums(source, files, subject);
  const damaged: DamagedFile[] = [...expected.keys()]
    .filter((path) => !files.has(path))
    .map((path) => ({ path, reason: 'is not on the disc' }));
  if (damage !== undefined) damaged.push({ path: 'folders of Rock Ridge', reason: messageOf(damage) });
  for (const file of files.values()) {
    if (!expected.has(file.path) && belongsToDisc(file.path))
      damaged.push({ path: file.path, reason: await reasonOfUnlisted(source, file, signal) });
  }
  const listed = [...files.values()].filter(({ path }) => expected.has(path)).sort(byPlace);
  const totalBytes = listed.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  for (const [i, file] of listed.entries()) {
    const { path, size } = file;
    try {
      const digest = await digestOf(source, file, signal, (read) => {
        onProgress?.({
          files: i,
          totalFiles: listed.length,
          bytes: bytes + read,
          totalBytes,
          current: path,
        });
      });
      if (digest !== expected.get(path))
        damaged.push({ path, reason: 'its bytes are not those that were written (SHA-256 differs)' });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DamagedError)) throw error;
      damaged.push({ path, reason: messageOf(error) });
    }
    bytes += size;
  }
  return {
    label: await labelOf(source, files, subject, damaged),
    volumeId,
    files: listed.length,
    bytes,
    damaged: damaged.sort((a, b) => (a.path < b.path ? -1 : 1)),
    strangers: [...files.keys()]
      .filter((path) => !expected.has(path) && path !== SHA256SUMS_FILE && !belongsToDisc(path))
      .sort(),
  };
}

/** Whether cbr has put a file there, so that it had a line. */
function belongsToDisc(path: string): boolean {
  return objectAt(path) !== undefined || FILES_BESIDE.includes(path);
}

/** Objects prove themselves all the same. */
async function reasonOfUnlisted(source: SectorSource, file: IsoFile, signal: AbortSignal): Promise<string> {
  const object = objectAt(file.path);
  const lacks = `${SHA256SUMS_FILE} has no line for it`;
  if (object === undefined) return lacks;
  const { kind, name } = object;
  try {
    const isNamed = kind === 'packs' || kind === 'index';
    const end = isNamed ? file.size : Math.max(0, file.size - DIGEST_BYTES);
    const digest = await digestOf(source, { ...file, size: end }, signal, () => undefined);
    const written = isNamed ? name : toHex(await readIsoFile(source, file, end, file.size - end));
    return digest === written
      ? `${lacks}, and it is whole`
      : `${lacks}, and its bytes are not those that were written`;
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    return `${lacks}, and ${messageOf(error)}`;
  }
}

function byPlace(a: IsoFile, b: IsoFile): number {
  return (a.extents[0]?.offset ?? 0) - (b.extents[0]?.offset ?? 0);
}

async function digestOf(
  source: SectorSource,
  file: IsoFile,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): Promise<string> {
  const hash = createHash('sha256');
  const offsets = Array.from({ length: Math.ceil(file.size / PIECE_BYTES) }, (_, i) => i * PIECE_BYTES);
  let read = 0;
  const pieces = readAhead(offsets, PIECES_AHEAD, (offset) =>
    readIsoFile(source, file, offset, Math.min(PIECE_BYTES, file.size - offset)),
  );
  for await (const piece of pieces) {
    signal.throwIfAborted();
    hash.update(piece);
    read += piece.byteLength;
    onRead(read);
  }
  return hash.digest('hex');
}

async function readChecksums(
  source: SectorSource,
  files: ReadonlyMap<string, IsoFile>,
  subject: string,
): Promise<ReadonlyMap<string, string>> {
  const sums = files.get(SHA256SUMS_FILE);
  if (sums === undefined) {
    if (files.has(LABEL_FILE)) throw new DamagedError(subject, `has no ${SHA256SUMS_FILE}`);
    throw new CbrError('not-a-repository', `${subject} is no disc of cbr: it has no ${LABEL_FILE}`, {
      hint: 'Name an image or a drive with a disc that cbr has made.',
    });
  }
  if (sums.size > SHA256SUMS_BYTES) throw new DamagedError(subject, `${SHA256SUMS_FILE} is too large`);
  return parseChecksums(await readIsoFile(source, sums, 0, sums.size), subject);
}

/** What it says of itself; that it cannot be read counts once. */
async function labelOf(
  source: SectorSource,
  files: ReadonlyMap<string, IsoFile>,
  subject: string,
  damaged: DamagedFile[],
): Promise<DiscLabel | undefined> {
  const file = files.get(LABEL_FILE);
  if (file === undefined || file.size > LABEL_BYTES || damaged.some(({ path }) => path === LABEL_FILE))
    return undefined;
  try {
    return parseLabel(await readIsoFile(source, file, 0, file.size), subject);
  } catch (error) {
    if (!(error instanceof CbrError) || error.code === 'newer-format') throw error;
    damaged.push({ path: LABEL_FILE, reason: messageOf(error) });
    return undefined;
  }
}
