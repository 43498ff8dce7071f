import {
  isSameInode,
  lookAt,
  lookAtOpen,
  namesIn,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import type { EntryEnd } from './entry-end.js';
import type { RestoreReport } from './restore-report.js';

/** Why an entry is lost whose name has become that of another one. */
export const TAKEN_NAME =
  'another entry has taken its name meanwhile; perhaps the target does not tell their letters apart';

/**
 * Knows names that are one in the target and several in the snapshot: many file systems do not tell case apart, or composed
 * letters, or drop dots at the end. Whatever a restore has put under one of them must not give way to the next.
 */
export class TakenNames {
  /** Of each folder that existed: the names met so far, by what the target may make of them. */
  private readonly met = new Map<string, Map<string, readonly string[]>>();
  private readonly keys = new WeakMap<TargetFolder, string>();

  /**
   * `isMerged`: several folders of the snapshot may become one of the target, so that nothing of it can be forgotten.
   * `isNever`: nothing that exists is touched.
   */
  constructor(
    private readonly report: RestoreReport,
    private readonly isMerged: boolean,
    private readonly isNever: boolean,
  ) {}

  /** To be told each name before anything is done with it. */
  meet(folder: TargetFolder, name: string): void {
    // Nothing is overwritten in a folder that this restore has made.
    if (folder.created && !this.isMerged) return;
    const key = this.keyOf(folder);
    let names = this.met.get(key);
    if (names === undefined) {
      names = new Map();
      this.met.set(key, names);
    }
    const folded = foldedName(name);
    const before = names.get(folded) ?? [];
    if (!before.includes(name)) names.set(folded, [...before, name]);
  }

  /** Nothing more comes for this folder. */
  forget(folder: TargetFolder): void {
    if (!this.isMerged && !folder.created) this.met.delete(this.keyOf(folder));
  }

  /** Whether what was seen under a name is, or is to become, another entry of the snapshot. */
  isTaken(folder: TargetFolder, name: string, seen: SeenEntry): boolean {
    if (folder.created && !namesIn(folder).includes(name)) return true;
    const names = this.met.get(this.keyOf(folder))?.get(foldedName(name)) ?? [];
    return names.some((other) => {
      if (other === name) return false;
      const rival = lookAt(folder, other);
      if (rival === undefined || !isSameInode(rival, seen)) return false;
      if (seen.type === 'directory' || seen.names === 1) return true;
      const listed = namesIn(folder);
      return !listed.includes(name) || !listed.includes(other);
    });
  }

  private keyOf(folder: TargetFolder): string {
    let key = this.keys.get(folder);
    if (key === undefined) {
      const { fileSystem, inode } = lookAtOpen(folder.fd);
      key = `${fileSystem} ${inode}`;
      this.keys.set(folder, key);
    }
    return key;
  }

  /** How an entry ends whose name was free and is not any more. */
  endOf(folder: TargetFolder, name: string, path: string): EntryEnd {
    // Somebody else may put things there too; that they are left alone is what was asked for.
    if (this.isNever && !folder.created && namesIn(folder).includes(name)) {
      this.report.existed(path);
      return 'existed';
    }
    this.report.lose(path, TAKEN_NAME);
    return 'lost';
  }
}

/** What a file system may make of a name: one for all that any of them takes for the same, and for some more. */
function foldedName(name: string): string {
  const isPlain = /^[ -~]*$/.test(name);
  const text = isPlain ? name : Buffer.from(name, 'latin1').toString('utf8').normalize('NFKC');
  return text
    .toUpperCase()
    .toLowerCase()
    .replace(/[. ]+$/, '');
}
