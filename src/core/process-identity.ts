import { createHmac } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from './errors.js';

/**
 * Who a process is, precisely enough that another process can later prove it gone. What a system cannot tell is left
 * out: process ids recur, so less is provable there.
 */
export interface ProcessIdentity {
  /** The name this machine goes by. */
  readonly host: string;
  /** Tells machines of one name apart: a hash of the machine id, which itself is nobody else's business. */
  readonly machine?: string;
  readonly pid: number;
  /** When the process started, in clock ticks since boot (field 22 of /proc/<pid>/stat). */
  readonly startTime?: number;
  /** Differs for every boot of every machine. */
  readonly bootId?: string;
  /** Inode of the PID namespace: a process id means nothing in another container. */
  readonly pidNamespace?: number;
}

interface ProcessStat {
  readonly state: string;
  readonly startTime: number;
}

function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // no /proc here, or hidden from us: then nothing is known
  }
}

function statOf(pid: number | 'self'): ProcessStat | undefined {
  return readOrUndefined(() => {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name (field 2) may hold blanks and parentheses: count from its last one.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const startTime = Number(fields[19]);
    return Number.isSafeInteger(startTime) ? { state: fields[0] ?? '', startTime } : undefined;
  });
}

/** When the process started, in clock ticks since boot; undefined where the system does not say. */
export function processStartTime(pid: number | 'self'): number | undefined {
  return statOf(pid)?.startTime;
}

/** The id of this boot; undefined where the system has none. */
export function readBootId(): string | undefined {
  return readOrUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() || undefined);
}

/** Where an installed system keeps its id: 32 hexadecimal digits (machine-id(5)). Images may hold an empty file or a word. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
const MACHINE_CONTEXT = 'cbr 2026 machine';

/** A hash of the id of this installation of the system, 32 hexadecimal digits; undefined where there is none. */
export function readMachine(files: readonly string[] = MACHINE_ID_FILES): string | undefined {
  for (const file of files) {
    const id = readOrUndefined(() => readFileSync(file, 'latin1').trim());
    if (id === undefined || !/^[0-9a-f]{32}$/.test(id) || /^0+$/.test(id)) continue;
    return createHmac('sha256', id).update(MACHINE_CONTEXT).digest('hex').slice(0, 32);
  }
  return undefined;
}

function readPidNamespace(): number | undefined {
  return readOrUndefined(() => {
    const inode = Number(/^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1]);
    return Number.isSafeInteger(inode) ? inode : undefined;
  });
}

/** The identity of this process, under the name that `host` gives this machine. */
export function ownIdentity(host: string): ProcessIdentity {
  const machine = readMachine();
  const startTime = processStartTime('self');
  const bootId = readBootId();
  const pidNamespace = readPidNamespace();
  return {
    host,
    ...(machine === undefined ? {} : { machine }),
    pid: process.pid,
    ...(startTime === undefined ? {} : { startTime }),
    ...(bootId === undefined ? {} : { bootId }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
  };
}

function pidExists(pid: number): boolean | undefined {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ESRCH') return false;
    return code === 'EPERM' ? true : undefined;
  }
}

/**
 * Whether the process still runs. `dead` only when that is proved: this machine has booted since, or no process of that id
 * and start time is left in the same PID namespace. What cannot be examined (another machine, also one of the same name,
 * another container, no start time to compare) is `unknown`. `own` is who asks; give it when the machine goes by another
 * name than its own.
 */
export function isAlive(
  identity: ProcessIdentity,
  own: ProcessIdentity = ownIdentity(hostname()),
): 'alive' | 'dead' | 'unknown' {
  const bootsKnown = identity.bootId !== undefined && own.bootId !== undefined;
  const sameBoot = bootsKnown && identity.bootId === own.bootId;
  // Equal boot ids prove the same machine, whatever name was given to it.
  if (!sameBoot && !mayBeOneMachine(identity, own)) return 'unknown';
  if (bootsKnown && !sameBoot) return 'dead';
  if (identity.pidNamespace !== own.pidNamespace) return 'unknown';
  if (!Number.isSafeInteger(identity.pid) || identity.pid <= 0) return 'unknown';
  const exists = pidExists(identity.pid);
  if (exists === false) return 'dead';
  const stat = statOf(identity.pid);
  if (exists === undefined || stat === undefined || identity.startTime === undefined) return 'unknown';
  const ended = stat.state === 'Z' || stat.state === 'X';
  return ended || stat.startTime !== identity.startTime ? 'dead' : 'alive';
}

/** By name, and by machine id where both have one: copies of an image share their names, and some their ids. */
function mayBeOneMachine(a: ProcessIdentity, b: ProcessIdentity): boolean {
  const machinesKnown = a.machine !== undefined && b.machine !== undefined;
  return a.host === b.host && (!machinesKnown || a.machine === b.machine);
}
