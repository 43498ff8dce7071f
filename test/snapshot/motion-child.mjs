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
/** Read in one piece, and in several. */
const SIZES = { small: 1_500_000, large: 9_000_000 };
const at = (...names) => join(root, ...names);

/** A version is one byte repeated: content that mixes two of them belongs to no one moment. */
const version = (number, size) => Buffer.alloc(size, 65 + (number % 26));

/** A number is written at the start, then at the end: at no moment is the one at the end the higher one. */
const numbered = Object.entries(SIZES).map(([name, size]) => {
  const fd = openSync(at(`numbered, ${name}`), 'wx+');
  ftruncateSync(fd, size);
  writeSync(fd, Buffer.alloc(size, 1), 0, size, 0);
  return { fd, end: size - 4 };
});
const bytes = Buffer.alloc(4);
let number = 0;
function writeNumber() {
  bytes.writeUInt32LE(++number);
  for (const { fd, end } of numbered) {
    writeSync(fd, bytes, 0, 4, 0);
    writeSync(fd, bytes, 0, 4, end);
  }
}
writeNumber();

function cutAndWrite(path, content) {
  const fd = openSync(path, 'w');
  writeSync(fd, content, 0, content.length, 0);
  closeSync(fd);
}

execFileSync('mkfifo', [at('a fifo')]);
mkdirSync(at('a folder'));
for (let round = 0; ; round++) {
  for (let i = 0; i < 300; i++) writeNumber();
  for (const [name, size] of Object.entries(SIZES)) {
    cutAndWrite(at(`cut, ${name}`), version(round, size + 1000 * (round % 5)));
    writeFileSync(at('staged'), version(round, size - round));
    renameSync(at('staged'), at(`replaced, ${name}`));
    writeNumber();
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
