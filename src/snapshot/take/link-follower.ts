import { displayPath, FileError, followLink, type RawPath, StatTable } from '../../fs/index.js';
import { folderKey } from './linked-files.js';
import type { OwnPlaces } from './own-folders.js';
import type { Tally } from './tally.js';

/** What is taken in in the place of a symlink. */
export interface FollowedEntry {
  /** Its path with no symlink on it. */
  readonly real: RawPath;
  /** Its row alone. */
  readonly stats: StatTable;
  /** Links followed on the way to it from the source on. */
  readonly links: number;
}

/** Links within what links lead to multiply: a folder that was reached so often through them is not followed any more. */
const MOST_NESTED_VISITS = 1000;

/** Decides which symlinks of one source are followed. A link that is not is stored as a link. */
export class LinkFollower {
  /** The folders that the walk is in, by `folderKey`, with the path by which it came. */
  private readonly open = new Map<string, RawPath>();
  private readonly visits = new Map<string, number>();

  /** `most`: so many links may be followed on the way to an entry. */
  constructor(
    private readonly most: number,
    private readonly own: OwnPlaces,
    private readonly tally: Tally,
  ) {}

  /**
   * What the symlink at `path` stands for, when `links` were followed to get there; `link` is its path with no symlink
   * above it. `device`, where there is one, is not left. Undefined when the link itself is to be stored; where that is
   * not what was asked for the tally is told why.
   */
  follow(path: RawPath, link: RawPath, links: number, device: number | undefined): FollowedEntry | undefined {
    if (links >= this.most) return undefined;
    const stats = new StatTable(1);
    try {
      const found = followLink(link, this.most - links, stats);
      if (found === undefined) return undefined;
      const followed = { real: found.real, stats, links: links + found.links };
      const reason = this.refusal(followed, device);
      if (reason === undefined) return followed;
      this.tally.note(path, `${reason}; the link itself is stored`);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const nowhere = error.errno === 'ENOENT' || error.errno === 'ENOTDIR' || error.errno === 'ELOOP';
      const why = error.errno === 'ELOOP' ? 'leads to itself' : 'leads nowhere';
      if (nowhere) this.tally.note(path, `is a symlink that ${why}; the link itself is stored`);
      else this.tally.error(path, `cannot be followed: ${error.reason}; the link itself is stored`);
    }
    return undefined;
  }

  private refusal({ real, stats, links }: FollowedEntry, device: number | undefined): string | undefined {
    const own = this.own.refusal(real);
    if (own !== undefined) return `is a symlink to ${displayPath(real)}: ${own}`;
    if (stats.type(0) !== 'directory') return undefined;
    const around = this.open.get(folderKey(stats, 0));
    if (around !== undefined) return `is a symlink back to ${displayPath(around)}, in which it lies`;
    if (device !== undefined && stats.device(0) !== device)
      return `is a symlink to ${displayPath(real)} on another file system (--one-file-system)`;
    if (links < 2) return undefined;
    const key = folderKey(stats, 0);
    const visits = (this.visits.get(key) ?? 0) + 1;
    this.visits.set(key, visits);
    if (visits <= MOST_NESTED_VISITS) return undefined;
    return `is a symlink to ${displayPath(real)}, which was reached ${MOST_NESTED_VISITS} times through links within links`;
  }

  /** The walk goes into a folder, whose key is returned for `leave`; undefined if it is in there already. */
  enter(path: RawPath, stats: StatTable, row: number): string | undefined {
    const key = folderKey(stats, row);
    if (this.open.has(key)) return undefined;
    this.open.set(key, path);
    return key;
  }

  leave(key: string | undefined): void {
    if (key !== undefined) this.open.delete(key);
  }
}
