import { writeSync } from 'node:fs';
import { errnoOf } from '../core/index.js';

const FLUSH_CHARACTERS = 65_536;
const RETRY_MS = 5;

/**
 * Writes lines to a file descriptor, many at a time, and remembers the first failure instead of throwing: a snapshot must
 * not stop because nobody reads what it prints.
 */
export class LineWriter {
  private pending: string[] = [];
  private characters = 0;
  private scheduled = false;
  private failed: unknown;

  constructor(
    private readonly fd: number,
    /** Called before bytes are written: to clear what stands in the current line of the terminal. */
    private readonly before: () => void = () => undefined,
  ) {}

  /** Why nothing can be written any more; undefined when all is well. */
  get failure(): unknown {
    return this.failed;
  }

  /** The reader has gone away, as `head` does: no fault of anybody. */
  get isClosed(): boolean {
    return errnoOf(this.failed) === 'EPIPE';
  }

  line(text: string): void {
    if (this.failed !== undefined) return;
    this.pending.push(text);
    this.characters += text.length + 1;
    if (this.characters >= FLUSH_CHARACTERS) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.pending.length === 0) return;
    const text = `${this.pending.join('\n')}\n`;
    this.pending = [];
    this.characters = 0;
    this.before();
    this.write(text);
  }

  /** Writes at once, with no line end added. */
  write(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    for (let done = 0; done < bytes.length && this.failed === undefined; ) {
      try {
        done += writeSync(this.fd, bytes, done);
      } catch (error) {
        // A pipe that someone else made non-blocking is full: its reader needs a moment.
        if (errnoOf(error) === 'EAGAIN')
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
        else this.failed = error;
      }
    }
  }
}
