// Keeps changing the files of a folder, in every way at once, until it is killed. Says so when each was there once.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const [root] = process.argv.slice(2);
const SIZES = { small: 200_000, large: 9_000_000 };
const at = (...names) => join(root, ...names);

/** A version is one byte repeated: content that mixes two of them belongs to no one moment. */
const version = (number, size) => Buffer.alloc(size, 65 + (number % 26));

function rewrite(path, content, cutsFirst) {
  const fd = openSync(path, 'a+');
  closeSync(fd);
  const open = openSync(path, 'r+');
  if (cutsFirst) ftruncateSync(open, 0);
  writeSync(open, content, 0, content.length, 0);
  closeSync(open);
}

execFileSync('mkfifo', [at('a fifo')]);
mkdirSync(at('a folder'));
for (let round = 0; ; round++) {
  for (const [name, size] of Object.entries(SIZES)) {
    rewrite(at(`in place, ${name}`), version(round, size), false);
    rewrite(at(`cut, ${name}`), version(round, size + 1000 * (round % 5)), true);
    writeFileSync(at('staged'), version(round, size - round));
    renameSync(at('staged'), at(`replaced, ${name}`));
  }
  appendFileSync(at('growing'), `${String(round).padStart(9, '0')}\n`.repeat(500));
  const swapped = at('swapped');
  rmSync(swapped, { recursive: true, force: true });
  if (round % 4 === 0) writeFileSync(swapped, version(round, 50_000));
  else if (round % 4 === 1) execFileSync('mkfifo', [swapped]);
  else if (round % 4 === 2) symlinkSync('/etc/passwd', swapped);
  else mkdirSync(swapped);
  for (let i = 0; i < 20; i++) {
    const folder = at(`passing ${(20 * round + i) % 100}`);
    if (round % 2 === 0) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'file'), 'passing');
    } else rmSync(folder, { recursive: true, force: true });
  }
  if (round === 5) process.stdout.write('moving\n');
  await setTimeout(round % 3);
}
