import type { Problem } from '../../fs/index.js';
import type { Listener } from '../events.js';

/** Counts what a restore does, and tells the listener about it. */
export class RestoreReport {
  files = 0;
  folders = 0;
  others = 0;
  /** Those of the restored ones that took the place of something. */
  replaced = 0;
  /** Found right already. */
  unchanged = 0;
  bytes = 0;
  deletions = 0;
  undeleted = 0;
  skippedExisting = 0;
  lost = 0;
  /** Left out because nothing remains of their path. */
  stripped = 0;
  metadataProblems = 0;
  private readonly lostPaths = new Set<string>();
  private readonly existingPaths = new Set<string>();
  private rightBytes = 0;
  /** Written of files that are not whole yet. */
  private underwayBytes = 0;
  private lastProgress = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly listener: Listener,
    private readonly items: boolean,
    private readonly expected: { readonly files: number; readonly bytes: number } | undefined,
    private readonly clock: () => number,
    /** Remember what existed, for `hasExisted`: a path each. */
    private readonly keepsExisting = false,
  ) {}

  restored(path: string, bytes: number, type: 'file' | 'other' = 'file', isReplaced = false): void {
    if (type === 'file') this.files++;
    else this.others++;
    if (isReplaced) this.replaced++;
    this.bytes += bytes;
    if (this.items)
      this.listener({ type: 'item', path, action: isReplaced ? 'replaced' : 'restored', bytes });
    this.progress(path);
  }

  /** It was there already, as it is to be. */
  right(path: string, bytes = 0): void {
    this.unchanged++;
    this.rightBytes += bytes;
    if (this.items) this.listener({ type: 'item', path, action: 'unchanged' });
    this.progress(path);
  }

  /** So much of a file that is not whole yet was written; less than nothing when that ends one way or another. */
  underway(path: string, bytes: number): void {
    this.underwayBytes += bytes;
    if (bytes > 0) this.progress(path);
  }

  existed(path: string): void {
    this.skippedExisting++;
    if (this.keepsExisting) this.existingPaths.add(path);
    if (this.items) this.listener({ type: 'item', path, action: 'kept' });
  }

  /** Whether something was there under this path and was left alone. */
  hasExisted(path: string): boolean {
    return this.existingPaths.has(path);
  }

  /** Counts and reports each path once: what was lost is not there for the verification either. */
  lose(path: string, reason: string): void {
    if (this.lostPaths.has(path)) return;
    this.lostPaths.add(path);
    this.lost++;
    this.listener({ type: 'problem', severity: 'error', subject: path, reason });
  }

  /** It was deleted from the target. */
  deleted(path: string): void {
    this.deletions++;
    if (this.items) this.listener({ type: 'item', path, action: 'deleted' });
  }

  /** It was to be deleted, and is still there. */
  keepUndeleted(path: string, reason: string): void {
    this.undeleted++;
    this.listener({ type: 'problem', severity: 'error', subject: path, reason: `not deleted: ${reason}` });
  }

  /** Whether a path, or something below it, was lost. */
  hasLost(path: string): boolean {
    return [...this.lostPaths].some((lost) => lost === path || lost.startsWith(`${path}/`));
  }

  note(path: string, reason: string): void {
    this.listener({ type: 'problem', severity: 'note', subject: path, reason });
  }

  /** Reports what a metadata writer could not set. */
  metadata(problems: readonly Problem[]): void {
    for (const { path, what, reason } of problems) {
      this.metadataProblems++;
      this.listener({ type: 'problem', severity: 'metadata', subject: path, reason: `${what}: ${reason}` });
    }
  }

  private progress(current: string): void {
    const now = this.clock();
    if (now - this.lastProgress < 200) return;
    this.lastProgress = now;
    this.listener({
      type: 'progress',
      phase: 'restore',
      files: this.files + this.unchanged + this.skippedExisting,
      ...(this.expected === undefined
        ? {}
        : { totalFiles: this.expected.files, totalBytes: this.expected.bytes }),
      bytes: this.bytes + this.rightBytes + this.underwayBytes,
      current,
    });
  }
}
