import { native } from './native.js';

const O_CLOEXEC = 0o2000000;

/** The two ends of a pipe: file descriptors that the caller closes. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * A pipe of the kernel's own kind. What Node gives a child process is a socket, and programs that open /dev/stdout, as
 * `pg_dump -f /dev/stdout` does, fail on one. Undefined where there is none to be had.
 */
export function openPipe(): Pipe | undefined {
  const ends = new Uint8Array(8);
  const calls = native();
  if (calls === undefined || calls.pipe2(ends, O_CLOEXEC) < 0) return undefined;
  const [read, write] = new Int32Array(ends.buffer) as unknown as [number, number];
  return { read, write };
}
