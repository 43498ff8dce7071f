import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

/** Images by the programs that people make discs with. */

/** A folder for the tests of a file, removed behind them. */
export function scratchForFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-disc-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files with folders above them. */
export function fill(folder: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

function run(program: string, ...parameters: string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** One session by xorriso, as `cbr disc build` has it written. */
export function xorriso(image: string, volume: string, source: string, to = '/'): void {
  const map = ['-joliet', 'on', '-map', source, to, '-commit'];
  run('xorriso', '-for_backup', '-outdev', `stdio:${image}`, '-volid', volume, ...map);
}

/** One more session. */
export function xorrisoAppend(image: string, volume: string, source: string, to: string): void {
  const map = ['-joliet', 'on', '-map', source, to, '-commit'];
  run('xorriso', '-for_backup', '-dev', `stdio:${image}`, '-volid', volume, ...map);
}

/** The sessions of an image: where each begins, and its volume id. */
export function xorrisoSessions(image: string): { sector: number; volumeId: string }[] {
  const toc = execFileSync('sh', ['-c', 'xorriso -for_backup -indev "stdio:$1" -toc 2>&1', 'sh', image], {
    encoding: 'utf8',
  });
  return [...toc.matchAll(/^ISO session {2}: +\d+ , +(\d+) , +\d+s , (.*)$/gm)].map(
    ([, sector, volumeId]) => ({
      sector: Number(sector),
      volumeId: volumeId!.trim(),
    }),
  );
}

/** An image by genisoimage; `flags` say which names it has. */
export function genisoimage(image: string, source: string, ...flags: string[]): void {
  run('genisoimage', '-quiet', ...flags, '-o', image, source);
}

/** A file of `bytes` in an image, with holes where it is zero. */
export function sparseImage(image: string, source: string): void {
  const command =
    'xorriso -as mkisofs -quiet -iso-level 3 -J "$1" 2>/dev/null | dd conv=sparse of="$2" bs=64k 2>/dev/null';
  execFileSync('sh', ['-c', command, 'sh', source, image]);
}
