import type { ContentItem } from '../entry.js';
import type { FileUnderway } from './file-underway.js';
import type { Window } from './window.js';
import type { WindowRunner } from './window-runner.js';

/** A window ends when it holds so much: memory and open files are bounded by it, whatever the snapshot. */
export interface WindowLimits {
  /** Bytes of chunks. */
  readonly bytes: number;
  /** Content items. */
  readonly items: number;
  readonly parts: number;
  /** Bytes of encoded entries. */
  readonly entryBytes: number;
  /** Parts whose file may stay open. */
  readonly spreadParts: number;
}

/**
 * A window is worth its overhead from so many bytes on, and is carried out then if the workers have nothing to do. The first one
 * begins early, the later ones are longer, up to so many: the fewer there are, the fewer blocks are needed by several.
 */
const HUNGRY_BYTES = 32 * 2 ** 20;
const MOST_HUNGRY_BYTES = 2 ** 30;
/** Windows carried out at the same time: the next one fills the gaps in which the last one waits for its last block. */
const WINDOWS_UNDERWAY = 2;

/** Gathers what is to be written into windows, and has each carried out while the next is filled. */
export class WindowFiller {
  private window: Window;
  private readonly underway: Promise<void>[] = [];
  private hungryBytes = HUNGRY_BYTES;

  constructor(
    private readonly runner: Pick<WindowRunner, 'newWindow' | 'run' | 'isHungry' | 'defer'>,
    private readonly limits: WindowLimits,
  ) {
    this.window = runner.newWindow();
  }

  /** Nothing is gathered and nothing under way. */
  get isDone(): boolean {
    return this.isEmpty && this.underway.length === 0;
  }

  private get isEmpty(): boolean {
    return this.window.parts.length === 0;
  }

  /** Whether the window should be carried out before anything is added. */
  get isFull(): boolean {
    const { bytes, items, parts, spreadParts, entryBytes } = this.window;
    return (
      bytes >= this.limits.bytes ||
      items >= this.limits.items ||
      parts.length >= this.limits.parts ||
      entryBytes >= this.limits.entryBytes ||
      spreadParts >= this.limits.spreadParts ||
      (bytes >= this.hungryBytes && this.runner.isHungry)
    );
  }

  add(file: FileUnderway, items: readonly ContentItem[], offset: number): void {
    this.window.add(file, items, offset);
  }

  /**
   * Starts what was gathered, when there is room for it. With `goesOn` more is going to be added: what may go better with
   * that is left for it. Rejects when a window before has failed.
   */
  async flush(goesOn = false): Promise<void> {
    while (this.underway.length >= WINDOWS_UNDERWAY) await this.underway.shift();
    if (this.isEmpty) return;
    const { window } = this;
    this.window = this.runner.newWindow();
    this.hungryBytes = Math.min(4 * this.hungryBytes, MOST_HUNGRY_BYTES);
    if (goesOn) this.runner.defer(window, this.window);
    const underway = this.runner.run(window);
    // Whoever awaits it sees a failure; until then it must not count as unhandled.
    underway.catch(() => undefined);
    this.underway.push(underway);
  }

  /** Waits for the oldest window under way; false if there is none. Rejects when it has failed. */
  async settleOne(): Promise<boolean> {
    const oldest = this.underway.shift();
    await oldest;
    return oldest !== undefined;
  }

  /** Resolves when no window is under way any more, whatever failed. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.underway);
  }
}
