import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { missingAbilities, type RawPath, rawPath } from '../../dist/fs/index.js';

/** Whether owners can be changed and devices made. */
export const isRoot = process.getuid?.() === 0;

const folders: string[] = [];

/** A new folder that everyone may enter, removed after the test; its path is ASCII. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-fs-'));
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

export function rawScratch(): RawPath {
  return rawPath(scratchFolder());
}

afterEach(() => {
  for (const folder of folders.splice(0)) {
    try {
      execFileSync('chattr', ['-R', '-f', '-i', '-a', folder], { stdio: 'ignore' });
    } catch {
      // a file system without flags, or sockets in the folder
    }
    execFileSync('rm', ['-rf', folder]); // unlike rmSync it manages paths of any length
  }
});

/** What a program prints, as latin1 text. */
export function run(program: string, ...parameters: (string | Buffer)[]): string {
  const list = parameters as string[];
  return execFileSync(program, list, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs `action` with the rights of an ordinary user (nobody, where the tests run as root). */
export function asNobody<T>(action: () => T): T {
  if (!isRoot) return action();
  missingAbilities(); // native code is loaded with the rights it needs
  process.setegid?.(65534);
  process.seteuid?.(65534);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** How many of this process's file descriptors lie in a folder. */
export function descriptorsBelow(folder: string): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`, 'latin1');
    } catch {
      return ''; // the one that listed them
    }
  });
  return targets.filter((target) => target === folder || target.startsWith(`${folder}/`)).length;
}
