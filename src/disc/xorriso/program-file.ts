import { readFile } from 'node:fs/promises';

/** A file in which a program leaves its process id before it begins, by which others can tell whether it still runs. */

export interface ProgramMark {
  /** Where the process id is left. */
  readonly file: string;
  /** Without this file the program does not begin: whoever it was to run for may be gone by then. */
  readonly needed: string;
  /** With this one neither. */
  readonly unwanted: string;
}

/**
 * What runs a program so that it leaves that file: a shell writes its own process id, with all that the system tells of it, and becomes the
 * program then. So there is no moment at which the program runs and the file is not there. It looks behind that whether it still should: who makes
 * `unwanted`, looks for the file then, and removes `needed` last never runs beside it.
 */
export function leavingProgramFile(
  { file, needed, unwanted }: ProgramMark,
  program: string,
  args: readonly string[],
): [string, string[]] {
  const leave = 'cat "/proc/$$/stat" > "$0" 2>/dev/null || echo "$$" > "$0" || exit 1';
  const look = '[ ! -e "$1" ] && [ -e "$2" ] || exit 1';
  return [
    '/bin/sh',
    ['-c', `${leave}; ${look}; shift 2; exec "$@"`, file, unwanted, needed, program, ...args],
  ];
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
