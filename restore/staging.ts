import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from './failure.js';
import type { Store } from './store.js';

/**
 * Copies of tree packs, sealed as they are: discs are taken out and others put in, and the trees, which perhaps lie on one of them only,
 * are needed all the time.
 */
export class Staging {
  /** Packs of which the copy is whole: others are copied again when there is another one. */
  private readonly whole = new Set<string>();
  private isTold = false;

  /** `folder`: where the copies come to lie; whoever gives it removes it. */
  constructor(private readonly folder: string) {}

  /** Where the copies lie; nothing before there are any. */
  folders(): string[] {
    return existsSync(this.folder) ? [this.folder] : [];
  }

  /** Copies what is in reach and not copied yet. Says so once if they cannot be kept. */
  keep(store: Store, packs: readonly string[], say: (text: string) => void): void {
    for (const name of packs) {
      try {
        this.copy(store, name);
      } catch (error) {
        if (!this.isTold) {
          const leave = 'leave the discs in reach that are';
          say(`The trees cannot be kept on this machine (${messageOf(error)}): ${leave}.`);
        }
        this.isTold = true;
      }
    }
  }

  /** The first copy that is whole; else the last one that can be read, which may be whole in part. */
  private copy(store: Store, name: string): void {
    const to = join(this.folder, 'packs', name.slice(0, 2), name);
    let problem: unknown;
    for (const from of store.pathsOf('packs', name)) {
      if (this.whole.has(name)) return;
      if (from === to || !statSync(from).isFile()) continue;
      try {
        mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
        copyFileSync(from, to);
        if (createHash('sha256').update(readFileSync(to)).digest('hex') === name) this.whole.add(name);
      } catch (error) {
        rmSync(to, { force: true });
        problem ??= error;
      }
    }
    if (problem !== undefined && !this.whole.has(name)) throw problem;
  }
}
