import { chmodSync, linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, plainPlace } from './run.js';

/** A source with entries of many kinds. */

/** A name in latin1, as it stands on the disk: not UTF-8. */
export const CAFE = Buffer.from('caf\xe9', 'latin1');
export const ESCAPE = 'evil\x1b[31m\nname';

export function fill({ source }: Place): void {
  mkdirSync(join(source, 'folder/empty'), { recursive: true });
  writeFileSync(join(source, 'folder/letter'), 'dear reader\n');
  writeFileSync(join(source, 'big'), Buffer.alloc(300_000, 'abcdefghi'));
  chmodSync(join(source, 'folder/letter'), 0o4751);
  utimesSync(join(source, 'big'), 1_000_000_000, 1_000_000_000);
  symlinkSync('nowhere', join(source, 'link'));
  linkSync(join(source, 'big'), join(source, 'twin'));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), CAFE]), 'x');
  writeFileSync(join(source, ESCAPE), '');
}

/** Six files, a symlink; the folders empty, folder and source, and those above. */
export const FILES = 6;

export async function filled(): Promise<Place> {
  const its = await plainPlace();
  fill(its);
  return its;
}

export const snapshotId = async (its: Place, ...args: readonly string[]): Promise<string> =>
  (await its.json(['snapshot', its.source, ...args])).summary.snapshot as string;
