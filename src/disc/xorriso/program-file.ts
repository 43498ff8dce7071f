import { readFile } from 'node:fs/promises';

/** A file in which a program leaves its process id before it begins, by which others can tell whether it still runs. */

/**
 * What runs a program so that it leaves that file: a shell writes its own process id, with all that the system tells of it, and becomes the
 * program then. So there is no moment at which the program runs and the file is not there.
 */
export function leavingProgramFile(
  file: string,
  program: string,
  args: readonly string[],
): [string, string[]] {
  const script = 'cat "/proc/$$/stat" > "$0" 2>/dev/null || echo "$$" > "$0" || exit 1; exec "$@"';
  return ['/bin/sh', ['-c', script, file, program, ...args]];
}

/** The process id in such a file and, where the system tells, when it started; undefined when there is no such file. */
export async function pidOf(
  file: string,
): Promise<{ readonly pid: number; readonly startTime?: number } | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'latin1');
  } catch {
    return undefined;
  }
  const pid = Number.parseInt(text, 10);
  // The command name (field 2) may hold blanks and parentheses: count from its last one.
  const startTime = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]);
  const isTold = text.includes(')') && Number.isSafeInteger(startTime);
  return { pid, ...(isTold ? { startTime } : {}) };
}
