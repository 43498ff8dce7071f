import { CbrError } from '../../core/index.js';
import { Limiter } from '../../engine/index.js';
import type { SeenEntry } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import { partsOf } from './file-parts.js';
import type { PlacedEntry } from './file-underway.js';
import { stopIfAborted } from './interruption.js';
import type { RestoreWorkers } from './restore-workers.js';

/** A file of the target whose content was compared with what is to be restored in its place. */
export interface ComparedFile {
  readonly file: PlacedEntry;
  readonly seen: SeenEntry;
  readonly isSame: boolean;
}

/** Reads files of the target, some at the same time, while the walk goes on. */
export class ContentComparison {
  private readonly running: Limiter;
  private done: ComparedFile[] = [];

  constructor(
    private readonly workers: RestoreWorkers,
    private readonly read: ReadTreeChunk,
    threads: number,
    private readonly signal: AbortSignal,
  ) {
    this.running = new Limiter(2 * threads);
  }

  /** Nothing is being compared, and nothing waits to be taken. */
  get isDone(): boolean {
    return this.running.isIdle && this.done.length === 0;
  }

  /** Begins as soon as there is room for it. Rejects when one before was stopped. */
  async start(file: PlacedEntry, seen: SeenEntry): Promise<void> {
    await this.running.room();
    this.running.start(async () => {
      const isSame = await this.isSame(file);
      // Only now: the list may have been taken meanwhile.
      this.done.push({ file, seen, isSame });
    });
  }

  /** What was compared since it was asked last. */
  take(): readonly ComparedFile[] {
    const { done } = this;
    if (done.length > 0) this.done = [];
    return done;
  }

  /** Resolves when nothing is being compared; rejects when it was stopped. */
  settled(): Promise<void> {
    return this.running.settled();
  }

  /** Resolves when nothing is being compared, whatever failed. */
  idle(): Promise<void> {
    return this.running.idle();
  }

  private async isSame({ node, entry }: PlacedEntry): Promise<boolean> {
    try {
      for await (const part of partsOf(node.folder, entry, this.read)) {
        stopIfAborted(this.signal);
        const { difference, unreadable } = await this.workers.run('verifyFile', part);
        if (difference !== undefined || unreadable !== undefined) return false;
      }
      return true;
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted' || error.code === 'internal')
        throw error;
      return false; // a content list that cannot be read: who plans the file says so
    }
  }
}
