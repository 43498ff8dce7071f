/**
 * The benchmark of discs: building images against xorriso mapping the same files, verifying against `sha256sum`, and a restore from
 * the images against one from the repository.
 *
 *   npm run bench:discs -- [--corpus tree,big] [--media 200MiB] [--rounds 3] [--out FILE]
 *
 * Works in $CBR_BENCH_DIR/discs (default: cbr-bench in the temporary folder); restores go to memory (/dev/shm).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CBR } from './cbr-json.mjs';
import { corpus } from './corpora.mjs';
import { measure, median, medianRatio } from './measure.mjs';
import { countText, figure, markdownTable, sizeText } from './text.mjs';

const PASSWORD = 'bench';
/** By itself it looks once a second whether an image is done: small images take whole seconds. */
const XORRISO = { xorriso: 'xorriso -for_backup', eager: 'xorriso -pacifier interval=0.1 -for_backup' };

const { values: options } = parseArgs({
  options: {
    corpus: { type: 'string', default: 'tree,big' },
    media: { type: 'string', default: '200MiB' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});

async function main() {
  const rounds = Number(options.rounds);
  const cache = process.env.CBR_BENCH_DIR ?? join(tmpdir(), 'cbr-bench');
  const sources = options.corpus.split(',').map((name) => corpus(cache, name));
  const work = join(cache, 'discs');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const env = { ...process.env, CBR_REPO: join(work, 'repo'), CBR_PASSWORD: PASSWORD };
  env.CBR_CACHE_DIR = join(work, 'cache');
  const cbr = (...args) => ({ file: process.execPath, args: [CBR, ...args, '--no-progress'], env });
  const shell = (script) => ({ file: '/bin/sh', args: ['-ec', script], env });
  await measure(cbr('init'));
  await measure(cbr('snapshot', ...sources.map(({ path }) => path)));

  const times = { build: [], xorriso: [], eager: [], verify: [], sha256sum: [], discs: [], local: [] };
  let sizes = [];
  for (let round = 0; round < rounds; round++) {
    const out = join(work, 'images');
    const theirs = join(work, 'theirs');
    for (const folder of [out, theirs]) rmSync(folder, { recursive: true, force: true });
    mkdirSync(theirs);
    const build = cbr('disc', 'build', '--set', `round-${round}`, '--media', options.media, '--out', out);
    times.build.push((await measure(build)).seconds);
    const images = readdirSync(out).map((name) => join(out, name));
    sizes = images.map((image) => statSync(image).size);
    const folders = images.map((image, i) => extracted(image, join(work, 'folders', String(i))));
    for (const [name, first] of Object.entries(XORRISO)) {
      const map = folders.map(
        (folder, i) =>
          `${first} -outdev stdio:${theirs}/${name}-${i}.iso -joliet on -map ${folder} / -commit`,
      );
      times[name].push((await measure(shell(map.join('\n')))).seconds);
    }
    const verify = images.map((image) => `${process.execPath} ${CBR} disc verify ${image} --no-progress`);
    times.verify.push((await measure(shell(verify.join('\n')))).seconds);
    const sums = folders.map((folder) => `(cd ${folder} && sha256sum -c --quiet SHA256SUMS)`);
    times.sha256sum.push((await measure(shell(sums.join('\n')))).seconds);
    const order = [
      ['discs', `disc:${out}`],
      ['local', join(work, 'repo')],
    ];
    for (const [name, location] of round % 2 === 0 ? order : order.reverse()) {
      const target = `/dev/shm/cbr-bench-discs-${name}`;
      rmSync(target, { recursive: true, force: true });
      // Neither has anything in its cache.
      const fresh = join(work, `cache-${name}`);
      rmSync(fresh, { recursive: true, force: true });
      const restore = ['restore', 'latest', '--target', target, '-r', location, '--cache-dir', fresh];
      times[name].push((await measure(cbr(...restore))).seconds);
      for (const { path } of sources) {
        execFileSync('diff', ['-r', '--no-dereference', path, join(target, path)]);
      }
      rmSync(target, { recursive: true, force: true });
    }
    console.log(
      `round ${round + 1}:`,
      Object.fromEntries(Object.entries(times).map(([k, v]) => [k, v.at(-1)])),
    );
  }
  const text = report(sources, sizes, times, rounds);
  if (options.out !== undefined) writeFileSync(options.out, text);
  console.log(`\n${text}`);
}

function extracted(image, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const args = ['-no_rc', '-osirrox', 'on', '-indev', `stdio:${image}`, '-extract', '/', folder];
  execFileSync('xorriso', args, { stdio: 'ignore' });
  // So that it can be removed.
  execFileSync('chmod', ['-R', 'u+w', folder]);
  return folder;
}

function report(sources, sizes, times, rounds) {
  const names = sources.map(
    ({ name, files, bytes }) => `*${name}* (${countText(files)} files, ${sizeText(bytes)})`,
  );
  const row = (what, ours, others, name, least) => {
    const ratio = medianRatio(others, ours);
    const isReached = ratio >= least;
    return [
      what,
      `${figure(median(ours))} s`,
      `${figure(median(others))} s (${name})`,
      figure(ratio),
      `at least ${least}`,
      isReached ? 'reached' : 'missed',
    ];
  };
  const rowWithoutTarget = (what, ours, others, name) => [
    ...row(what, ours, others, name, 0).slice(0, 4),
    '',
    '',
  ];
  const rows = [
    ['', 'cbr', 'against', 'speed', 'target', ''],
    row('build all images', times.build, times.xorriso, '`xorriso -for_backup`, the same files', 0.8),
    rowWithoutTarget(
      'build all images',
      times.build,
      times.eager,
      '`xorriso -pacifier interval=0.1`, the same files',
    ),
    row('verify all images', times.verify, times.sha256sum, '`sha256sum -c` on the same files', 0.8),
    row('restore from images', times.discs, times.local, 'from the repository', 1 / 1.3),
  ].map((cells) =>
    cells.map((cell) => (typeof cell === 'string' ? cell.replace('0.7692307692307692', '0.77') : cell)),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return `# Discs

${names.join(' and ')} in an encrypted repository, on ${sizes.length} images for \`--media ${options.media}\`,
${sizeText(total)} in all. Medians of ${rounds} rounds, all of a round one after another on the same machine; whole commands, process
start, password and planning included; "speed" is the median of the ratios within a round. Restores go to memory, with empty
caches, and are compared with the source. xorriso adds Joliet and checksums as cbr does. By itself it looks once a second whether an
image is done, so that small images take whole seconds; cbr has it look ten times a second, and against that it is compared as well.

${markdownTable(rows)}

Measured with \`npm run bench:discs\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, ${sizeText(totalmem())} of memory, Node ${process.versions.node}.
`;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
