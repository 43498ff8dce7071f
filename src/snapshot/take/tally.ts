import type { FilterRule, RawPath } from '../../fs/index.js';
import type { Listener } from '../events.js';

/** Counts what a snapshot meets, and tells the listener about it. */
export class Tally {
  files = 0;
  folders = 0;
  others = 0;
  newFiles = 0;
  changedFiles = 0;
  unchangedFiles = 0;
  sourceBytes = 0;
  newBytes = 0;
  /** Bytes of files that are done: read, or found unchanged. */
  doneBytes = 0;
  doneFiles = 0;
  /** Files that could not be read, or that changed while they were read. */
  readonly errors: { readonly path: RawPath; readonly reason: string }[] = [];
  changing = 0;
  notes = 0;
  private lastProgress = Number.NEGATIVE_INFINITY;
  private expected: { readonly files: number; readonly bytes: number } | undefined;

  constructor(
    private readonly listener: Listener,
    private readonly items: boolean,
    private readonly clock: () => number,
  ) {}

  /** A guess of how much there will be, for the share done. */
  expect(expected: { readonly files: number; readonly bytes: number } | undefined): void {
    this.expected = expected;
  }

  file(path: () => string, action: 'new' | 'changed' | 'unchanged', bytes: number): void {
    if (action === 'new') this.newFiles++;
    else if (action === 'changed') this.changedFiles++;
    else this.unchangedFiles++;
    this.doneFiles++;
    if (action === 'unchanged') this.doneBytes += bytes;
    if (this.items) this.listener({ type: 'item', path: path(), action, bytes });
    this.progress(path);
  }

  /** Content was read, and so much of it was new to the repository. */
  read(path: string, bytes: number, newBytes: number): void {
    this.doneBytes += bytes;
    this.newBytes += newBytes;
    this.progress(() => path);
  }

  /** A file that was counted when it was scanned, with so many bytes, and is not in the snapshot. */
  leftOut(bytes: number): void {
    this.files--;
    this.sourceBytes -= bytes;
  }

  excluded(path: () => string, rule: FilterRule): void {
    if (this.items) this.listener({ type: 'item', path: path(), action: 'excluded', rule });
  }

  error(path: RawPath, reason: string): void {
    this.errors.push({ path, reason });
    this.listener({ type: 'problem', severity: 'error', subject: path, reason });
  }

  /** A file that was stored while it changed: recorded like an error, for its content belongs to no one moment. */
  unsteady(path: RawPath, reason: string): void {
    this.changing++;
    this.errors.push({ path, reason });
    this.listener({ type: 'problem', severity: 'changed', subject: path, reason });
  }

  note(subject: string, reason: string, severity: 'note' | 'metadata' = 'note'): void {
    this.notes++;
    this.listener({ type: 'problem', severity, subject, reason });
  }

  /** Tells how far it is, five times a second at most. */
  progress(current: () => string): void {
    const now = this.clock();
    if (now - this.lastProgress < 200) return;
    this.lastProgress = now;
    this.listener({
      type: 'progress',
      phase: 'snapshot',
      files: this.doneFiles,
      ...(this.expected === undefined
        ? {}
        : {
            totalFiles: Math.max(this.expected.files, this.files),
            totalBytes: Math.max(this.expected.bytes, this.sourceBytes),
          }),
      bytes: this.doneBytes,
      newBytes: this.newBytes,
      current: current(),
    });
  }
}
