import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from '../core/index.js';

/**
 * Names one process on one machine, so that another process can prove that it is gone. Where the system does not tell a
 * part (no /proc), that part is '0' and proves nothing.
 */
export interface ProcessIdentity {
  readonly host: string;
  /** Digest of the kernel's boot id: differs after every boot. */
  readonly boot: string;
  /** The process-id namespace in which `pid` means something: differs between containers of one host. */
  readonly namespace: string;
  readonly pid: number;
  /** Start time in clock ticks since boot: tells a process from a later one that was given the same pid. */
  readonly start: string;
}

const UNKNOWN = '0';

function orUnknown(read: () => string): string {
  try {
    return read();
  } catch {
    return UNKNOWN; // no /proc, or not mounted for us: the part is documented to be unknown then
  }
}

/** Field 22 of /proc/<pid>/stat; the command before it may hold spaces and brackets, so count from its end. */
function startTime(pid: number): string {
  return orUnknown(() => {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? UNKNOWN;
  });
}

/** The identity of the running process; worker threads share it. */
export function thisProcess(): ProcessIdentity {
  return {
    host: hostname(),
    boot: orUnknown(() =>
      createHash('sha256')
        .update(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim())
        .digest('hex')
        .slice(0, 12),
    ),
    namespace: orUnknown(() => readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')),
    pid: process.pid,
    start: startTime(process.pid),
  };
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/**
 * Whether `other` has provably ended, as far as the process `observer` can tell: it ran on the same host under another
 * boot, or in the same namespace under a pid that is free or was given to a process with another start time. False means
 * alive or unknown.
 */
export function hasEnded(other: ProcessIdentity, observer: ProcessIdentity = thisProcess()): boolean {
  if (other.host !== observer.host || other.boot === UNKNOWN || observer.boot === UNKNOWN) return false;
  if (other.boot !== observer.boot) return true;
  if (other.namespace !== observer.namespace) return false;
  if (!pidExists(other.pid)) return true;
  const start = startTime(other.pid);
  return other.start !== UNKNOWN && start !== UNKNOWN && start !== other.start;
}
