import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { CbrError, errnoOf, messageOf } from '../core/index.js';
import { openPipe } from '../fs/index.js';
import type { ByteStream } from './byte-stream.js';
import { displayText } from './raw-names.js';

/** A command that is told to stop gets so long before it is killed. */
const GRACE_MS = 5000;
const LONGEST_SHOWN = 200;

/** How a command ended. */
type End =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: string }
  | { readonly kind: 'not started'; readonly error: Error };

/**
 * What a command prints. It is started when that is first read and keeps standard input and error; it is told to stop when
 * `signal` is aborted. Its content ends with an error unless it exits with 0: what it printed until then is not all there was.
 */
export function commandOutput(words: readonly string[], signal: AbortSignal): ByteStream {
  let running: RunningCommand | undefined;
  async function* content(): AsyncGenerator<Uint8Array, void> {
    signal.throwIfAborted();
    running = new RunningCommand(words, signal);
    yield* running.printed();
  }
  return { content: content(), close: async () => running?.stop() };
}

class RunningCommand {
  private readonly child: ChildProcess;
  private readonly output: Readable;
  private readonly ended: Promise<End>;
  private readonly onAbort = (): void => void this.stop();

  constructor(
    private readonly words: readonly string[],
    private readonly signal: AbortSignal,
  ) {
    const [program = '', ...args] = words;
    const pipe = openPipe();
    try {
      this.child = spawn(program, args, { stdio: ['inherit', pipe?.write ?? 'pipe', 'inherit'] });
    } catch (error) {
      if (pipe !== undefined) closeSync(pipe.read);
      throw this.failure({ kind: 'not started', error: error as Error });
    } finally {
      // Only the command may hold that end, or its output would never end.
      if (pipe !== undefined) closeSync(pipe.write);
    }
    this.output = pipe === undefined ? this.child.stdout! : new Socket({ fd: pipe.read, writable: false });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ kind: 'not started', error }));
      this.child.once('exit', (code, name) =>
        resolve(name === null ? { kind: 'exit', code: code ?? 0 } : { kind: 'killed', signal: name }),
      );
    });
    signal.addEventListener('abort', this.onAbort);
  }

  async *printed(): AsyncGenerator<Uint8Array, void> {
    try {
      yield* this.output as AsyncIterable<Uint8Array>;
    } catch (cause) {
      throw new CbrError('source', `reading what the command prints failed: ${messageOf(cause)}`, {
        cause,
        hint: 'No snapshot was made.',
      });
    }
    const end = await this.ended;
    if (end.kind !== 'exit' || end.code !== 0) throw this.failure(end);
  }

  /** Resolves when the command has ended: what it writes to is closed, it is told to stop, and at last killed. */
  async stop(): Promise<void> {
    this.signal.removeEventListener('abort', this.onAbort);
    this.output.destroy();
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), GRACE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  private failure(end: End): CbrError {
    const { words } = this;
    const shown = words.map(shellWord).join(' ');
    const command = displayText(shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN)}...` : shown);
    if (end.kind === 'not started') {
      const isMissing = errnoOf(end.error) === 'ENOENT';
      const why = isMissing
        ? 'was not found'
        : `cannot be run (${errnoOf(end.error) ?? messageOf(end.error)})`;
      const hint = isMissing
        ? 'Give its words one by one behind --, and what a shell is to read as: sh -c "...". No snapshot was made.'
        : 'No snapshot was made.';
      return new CbrError('source', `the command ${why}: ${command}`, { cause: end.error, hint });
    }
    const how = end.kind === 'exit' ? `failed with exit status ${end.code}` : `was killed by ${end.signal}`;
    return new CbrError('source', `the command ${how}: ${command}`, {
      hint: 'No snapshot was made. What it says itself stands above.',
    });
  }
}

/** As a shell would take it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
