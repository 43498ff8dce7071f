import { fstatSync, readFileSync } from 'node:fs';

/** A text for the mount that something open lies on: another one also where a folder of the same file system is mounted. */
export function mountOf(fd: number): string {
  const device = fstatSync(fd, { bigint: true }).dev;
  try {
    const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return `${device} ${mount ?? ''}`;
  } catch {
    return `${device}`; // no /proc here
  }
}
