import type { Progress } from './progress.js';
import { progressLine } from './progress-line.js';

/** The terminal a bar is drawn on. */
export interface Terminal {
  write(text: string): void;
  columns(): number;
}

const CLEAR_LINE = '\r\x1b[K';

/** The last line of a terminal, drawn over and over. */
export class ProgressBar {
  private shown = false;

  constructor(private readonly terminal: Terminal) {}

  show(progress: Progress): void {
    // One column stays free: some terminals move on to the next line when the last one is filled.
    const line = progressLine(progress, this.terminal.columns() - 1);
    this.terminal.write(`${CLEAR_LINE}${line}`);
    this.shown = true;
  }

  /** Takes the bar away, so that other lines can be written; the next `show` brings it back. */
  clear(): void {
    if (!this.shown) return;
    this.terminal.write(CLEAR_LINE);
    this.shown = false;
  }
}
