import { spawn } from 'node:child_process';
import { CBR } from './child.js';
import { type Place, quoted } from './run.js';

/** What is typed when a text shows up on the terminal. */
export interface Dialogue {
  readonly when: string;
  /** What happens before it is typed. */
  readonly act?: () => void;
  readonly type: string;
}

export interface TerminalRun {
  readonly code: number | null;
  /** Everything that stood on the terminal, what was typed included if it was echoed. */
  readonly screen: string;
}

/** Runs `cbr` on a terminal of its own, which script(1) provides, and answers what it asks. */
export function onTerminal(
  place: Place,
  args: readonly string[],
  dialogue: readonly Dialogue[] = [],
  columns = 80,
): Promise<TerminalRun> {
  const program = [process.execPath, CBR, ...args].map(quoted).join(' ');
  return scriptOnTerminal(place, `stty cols ${columns}; exec ${program}`, dialogue);
}

/** As `onTerminal` for a line of a shell. */
export function scriptOnTerminal(
  place: Place,
  line: string,
  dialogue: readonly Dialogue[] = [],
): Promise<TerminalRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: place.root,
      env: { ...place.env(), TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const left = [...dialogue];
    let screen = '';
    let unanswered = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      unanswered += text;
      while (left.length > 0) {
        const at = unanswered.indexOf(left[0]!.when);
        if (at === -1) break;
        unanswered = unanswered.slice(at + left[0]!.when.length);
        const { act, type } = left.shift()!;
        act?.();
        child.stdin.write(type);
      }
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, screen }));
  });
}
