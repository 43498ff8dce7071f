import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { BackendError, CbrError, errnoOf } from '../../core/index.js';
import { leavingProgramFile, type ProgramMark } from './program-file.js';

/** The program that writes ISO 9660 images and burns them: xorriso 1.5 or newer, found by its name. */

const XORRISO = 'xorriso';
/** What a shell ends with when there is no such program. */
const NOT_FOUND = 127;

/** Of what it says, for messages when it fails. */
const MOST_LINES_KEPT = 40;

export interface XorrisoRun {
  /** What is being done, for messages: "cannot write X". */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Takes each line that it says. */
  readonly onLine?: (line: string) => void;
  /** Takes its standard output, all of it; nothing is returned of it then. When this rejects the program is ended, and so does the run. */
  readonly takeOutput?: (output: Readable) => Promise<void>;
  /** By which others can tell that it runs. */
  readonly mark?: ProgramMark;
}

/**
 * Runs xorriso with commands of its native mode, and returns what it said on standard output. Rejects with `usage` where the program is
 * not installed, with BackendError with its own words when it fails, and with the signal's reason.
 */
export async function runXorriso(
  commands: readonly string[],
  { what, signal, onLine, takeOutput, mark }: XorrisoRun,
): Promise<string> {
  signal.throwIfAborted();
  const args = ['-no_rc', '-abort_on', 'FAILURE', ...commands];
  const [program, words] = mark === undefined ? [XORRISO, args] : leavingProgramFile(mark, XORRISO, args);
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  // A burn that is cut off leaves a disc that nobody can use; but the user said stop.
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const said: string[] = [];
    let output = '';
    let refusal: { readonly reason: unknown } | undefined;
    if (takeOutput === undefined) {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const taken = takeOutput?.(child.stdout).catch((reason: unknown) => {
      refusal = { reason };
      child.stdout.destroy();
      stop();
    });
    followLines(child.stderr, (line) => {
      said.push(line);
      if (said.length > MOST_LINES_KEPT) said.shift();
      onLine?.(line);
    });
    const { code, end } = await new Promise<{ code: number | null; end: NodeJS.Signals | null }>(
      (resolve, reject) => {
        child.on('error', reject);
        child.on('close', (status, killer) => resolve({ code: status, end: killer }));
      },
    );
    await taken;
    signal.throwIfAborted();
    if (refusal !== undefined) throw refusal.reason;
    if (code === NOT_FOUND) throw notInstalled(what);
    if (code !== 0) throw failure(what, said, code ?? end);
    return output;
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' ? notInstalled(what, error) : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function notInstalled(what: string, cause?: unknown): CbrError {
  return new CbrError('usage', `${what}: the program xorriso is not installed`, {
    hint: 'Install it (Debian, Ubuntu: apt-get install xorriso; Fedora: dnf install xorriso; macOS: brew install xorriso).',
    ...(cause === undefined ? {} : { cause }),
  });
}

function followLines(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') take(line.trim());
  });
  stream.on('end', () => {
    if (rest.trim() !== '') take(rest.trim());
  });
}

function failure(what: string, said: readonly string[], status: number | string | null): BackendError {
  const reasons = said.filter((line) => /: (FAILURE|FATAL|SORRY|ABORT) :/.test(line));
  const words = (reasons.length > 0 ? reasons : said).slice(-3).map(plain);
  const isFull = reasons.some((line) => /exceeds free space on media|No space left/i.test(line));
  return new BackendError(
    `${what}: xorriso ended with ${status}${words.length === 0 ? '' : `: ${words.join('; ')}`}`,
    false,
    isFull ? { hint: 'There is not room enough for it.' } : {},
  );
}

/** Without control characters: what a program says about a strange medium goes to a terminal. */
function plain(line: string): string {
  const words = line.replace(/^.*?: (FAILURE|FATAL|SORRY|ABORT) : /, '');
  return Array.from(words, (letter) => (letter < ' ' || letter === '\x7f' ? ' ' : letter)).join('');
}
