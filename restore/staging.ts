import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf } from './failure.js';
import type { Store } from './store.js';

/**
 * Copies of tree packs, sealed as they are: discs are taken out and others put in, and the trees, which perhaps lie on one of them only,
 * are needed all the time.
 */
export class Staging {
  private folder: string | undefined;

  /** Where the copies lie; nothing before there are any. */
  folders(): string[] {
    return this.folder === undefined ? [] : [this.folder];
  }

  /** Copies what is in reach and not copied yet. Says so once if there is no room. */
  keep(store: Store, packs: readonly string[], say: (text: string) => void): void {
    try {
      this.folder ??= mkdtempSync(join(tmpdir(), 'cbr-restore-'));
      for (const name of packs) {
        const [from] = store.pathsOf('packs', name);
        if (from === undefined || from.startsWith(this.folder)) continue;
        const to = join(this.folder, 'packs', name.slice(0, 2), name);
        mkdirSync(dirname(to), { recursive: true });
        copyFileSync(from, to);
      }
    } catch (error) {
      say(
        `The trees cannot be kept on this machine (${messageOf(error)}): leave the discs in reach that are.`,
      );
    }
  }

  end(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
