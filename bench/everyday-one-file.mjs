/** One small file out of a large repository: what that reads. */
import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCbr } from './cbr-json.mjs';
import { corpus, measureFolder } from './corpora.mjs';
import { countText, markdownTable, sizeText } from './text.mjs';

const RANDOM_FILES = 48;
const RANDOM_BYTES = 100_000_000;
const LETTER_BYTES = 10_240;
const TARGET_BYTES = 8_000_000;

/** @param {{cache: string, memory: string}} run */
export async function measureOneFile({ cache, memory }) {
  const place = join(cache, 'everyday-one');
  const source = join(place, 'source');
  const letter = join(source, 'documents/letters/letter.txt');
  const env = environment(place);
  if (!existsSync(join(place, 'made'))) {
    console.log(`making a repository of 5 GB in ${place}`);
    rmSync(place, { recursive: true, force: true });
    mkdirSync(source, { recursive: true });
    execFileSync('cp', ['-a', corpus(cache, 'tree').path, join(source, 'tree')]);
    for (let i = 0; i < RANDOM_FILES; i++) writeRandom(join(source, `random-${i}.bin`), RANDOM_BYTES, i);
    mkdirSync(join(letter, '..'), { recursive: true });
    writeRandom(letter, LETTER_BYTES, 255);
    runCbr(['init'], env);
    runCbr(['snapshot', source], env);
    writeFileSync(join(place, 'made'), '');
  }
  const { bytes } = measureFolder(join(place, 'repository'));
  const { files } = measureFolder(source);
  const restore = (name, cacheFolder) => {
    const target = join(memory, name);
    const { summary, seconds } = runCbr(['restore', `latest:${letter}`, '--target', target], {
      ...env,
      CBR_CACHE_DIR: cacheFolder,
    });
    if (!readFileSync(join(target, 'letter.txt')).equals(readFileSync(letter)))
      throw new Error('another file came back');
    rmSync(target, { recursive: true });
    return { seconds, ...summary.traffic };
  };
  restore('settle', env.CBR_CACHE_DIR);
  const warm = restore('warm', env.CBR_CACHE_DIR);
  const cold = join(place, 'cold-cache');
  rmSync(cold, { recursive: true, force: true });
  const first = restore('cold', cold);
  rmSync(cold, { recursive: true, force: true });
  const row = (name, { seconds, read, list }) => [
    name,
    sizeText(read.bytes),
    String(read.calls),
    String(list.calls),
    `${seconds.toFixed(2)} s`,
  ];
  return [
    `### One file of 10 KB out of ${sizeText(bytes)}\n`,
    `A repository of ${sizeText(bytes)} with a snapshot of ${countText(files)} files. Counted at the backend.\n`,
    markdownTable([
      ['cache', 'read', 'reads', 'lists', 'time'],
      row('warm', warm),
      row('none: the index is fetched as well', first),
    ]),
    `\nWith a warm cache at most 8 MB: ${warm.read.bytes <= TARGET_BYTES ? 'reached' : 'missed'}.`,
  ].join('\n');
}

/** @param {string} place */
export function environment(place) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CBR_')));
  return {
    ...clean,
    CBR_REPO: join(place, 'repository'),
    CBR_CACHE_DIR: join(place, 'cache'),
    CBR_PASSWORD: 'correct horse battery staple',
  };
}

/** Incompressible, and the same on every machine. @param {string} path @param {number} length @param {number} seed */
function writeRandom(path, length, seed) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(10_000_000);
  const file = openSync(path, 'w');
  for (let left = length; left > 0; left -= zeros.length) {
    writeSync(file, cipher.update(zeros.subarray(0, Math.min(left, zeros.length))));
  }
  closeSync(file);
}
