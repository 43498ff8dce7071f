import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Spread } from './disc-folders.js';
import { readOnTerminal, type Step } from './reader.js';

export const ASKED = 'go on without it: ';

/** A drive: a folder that shows one disc at a time. */
export class Drive {
  readonly folder: string;
  /** The discs, by their numbers. */
  private readonly shelf: string;
  private inside: string | undefined;

  constructor({ its, folders }: Spread) {
    this.folder = join(its.root, 'drive');
    this.shelf = join(its.root, 'shelf');
    mkdirSync(this.shelf);
    for (const [i, folder] of folders.entries()) renameSync(folder, join(this.shelf, `${i + 1}`));
    mkdirSync(this.folder);
  }

  put(number: number): void {
    this.putOther(join(this.shelf, `${number}`));
  }

  putOther(disc: string): void {
    this.takeOut();
    this.inside = disc;
    rmSync(this.folder, { recursive: true });
    renameSync(this.inside, this.folder);
  }

  private takeOut(): void {
    if (this.inside === undefined) return;
    renameSync(this.folder, this.inside);
    mkdirSync(this.folder);
  }
}

/** Restores all of the newest snapshot through a drive, on a terminal. */
export function restoring(
  { its }: Spread,
  drive: Drive,
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
) {
  const target = its.newTarget();
  const args = ['restore', `latest:${its.source}`, '--target', target, '--discs', drive.folder];
  return readOnTerminal(args, steps, env).then((run) => ({ ...run, target }));
}

/** The answer to a question: that disc. */
export const put = (drive: Drive, number: number): Step => ({
  when: ASKED,
  act: () => drive.put(number),
  type: '\n',
});
