import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { xorriso } from '../disc/image-programs.js';
import { factsOf } from '../snapshot/tree-facts.js';
import { DISC_BYTES, discPlace, extracted, PACK_BYTES } from './disc-place.js';

const MEDIA = ['--media', String(DISC_BYTES)];
const FORMAT = join(import.meta.dirname, '../../docs/format.md');

interface PlannedDisc {
  readonly volume: string;
  readonly imageBytes: number;
  readonly packs: readonly { readonly name: string; readonly size: number }[];
  readonly index: string;
}

test('a set is built as it was planned: full discs, each whole by itself, together the repository', async () => {
  const { its, out, take, build, images } = await discPlace();
  await take(1, 60);
  await take(2, 40);
  const { summary: plan } = await its.json(['disc', 'plan', '--set', 'photos', ...MEDIA]);
  const planned = plan.discs as PlannedDisc[];
  expect(planned.length).toBeGreaterThanOrEqual(5);
  expect(plan.capacity).toBe(DISC_BYTES);

  const { code, summary, items } = await build(...MEDIA);
  expect(code).toBe(0);
  expect(items).toHaveLength(planned.length);
  expect((summary.discs as PlannedDisc[]).map(({ volume }) => volume)).toEqual(
    planned.map(({ volume }) => volume),
  );
  expect(readdirSync(out).sort()).toEqual(planned.map(({ volume }) => `${volume}.iso`));
  for (const [i, image] of images().entries()) {
    const { size } = statSync(image);
    expect(size).toBeLessThanOrEqual(planned[i]!.imageBytes);
    expect(planned[i]!.imageBytes).toBeLessThanOrEqual(DISC_BYTES);
    if (i < planned.length - 1) expect(DISC_BYTES - size).toBeLessThan(1.1 * PACK_BYTES);
  }
  // Each data pack is on one disc, and those of the first snapshot come first.
  const names = planned.flatMap(({ packs }) => packs.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  expect(planned.at(-1)).toMatchObject({ index: 'all' });

  const together = join(its.root, 'together');
  for (const [i, image] of images().entries()) {
    const rockRidge = listed(['-R', '-f', '-i', image]);
    const joliet = listed(['-J', '-f', '-i', image]);
    for (const { name } of planned[i]!.packs) {
      const path = `/packs/${name.slice(0, 2)}/${name}`;
      expect(rockRidge).toContain(path);
      expect(joliet).toContain(path);
    }
    const archive = execFileSync('7z', ['l', '-ba', image], { encoding: 'utf8' });
    for (const file of [
      'README.txt',
      'SHA256SUMS',
      'disc.json',
      'restore/cbr-restore.mjs',
      'restore/format.md',
    ]) {
      expect(rockRidge).toContain(`/${file}`);
      expect(archive).toContain(file);
    }
    const folder = extracted(image, join(its.root, `disc-${i}`));
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: folder });
    const everything = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trim().split('\n');
    expect(sums.map((line) => line.slice(66)).sort()).toEqual(
      everything.filter((path) => statSync(join(folder, path)).isFile() && path !== 'SHA256SUMS').sort(),
    );
    expect(readFileSync(join(folder, 'restore/format.md'))).toEqual(readFileSync(FORMAT));
    const readme = readFileSync(join(folder, 'README.txt'), 'utf8');
    expect(readme).toContain(planned[i]!.volume);
    expect(readme).toContain(`${i + 1} (1 to ${planned.length} belong together)`);
    expect((await its.run(['disc', 'verify', image])).code).toBe(0);
    cpSync(folder, together, { recursive: true });
  }
  const target = join(its.root, 'restored');
  expect((await its.run(['check', '--read-data', '-r', together])).code).toBe(0);
  expect((await its.run(['restore', 'latest', '--target', target, '-r', together])).code).toBe(0);
  expect(factsOf(join(target, its.source))).toEqual(factsOf(its.source));

  expect((await build(...MEDIA, '--content', 'new')).summary).toMatchObject({ discs: [], exitCode: 0 });
});

test('what is new goes on further discs, and with --max-new only so much', async () => {
  const { its, take, build, images } = await discPlace();
  const refused = await build(...MEDIA, '--content', 'since-full');
  expect(refused.code).toBe(1);
  await take(1, 30);
  expect((await build(...MEDIA, '--content', 'since-full')).stdout).toContain('--content all');
  const before = (await build(...MEDIA)).summary.discs as PlannedDisc[];
  await take(2, 10);
  const most = await build(...MEDIA, '--content', 'new', '--max-new', '1MiB');
  expect(most).toMatchObject({ code: 1 });
  expect(images()).toHaveLength(before.length);
  const { summary } = await its.json(['disc', 'plan', '--set', 'photos', ...MEDIA, '--content', 'new']);
  expect(summary.newBytes).toBeGreaterThan(2_900_000);
  expect(summary.newBytes).toBeLessThan(3_300_000);
  const further = (await build(...MEDIA, '--content', 'new')).summary.discs as { number: number }[];
  expect(further.map(({ number }) => number)).toEqual([before.length + 1]);
  // A snapshot without new content has a record and trees that are on no disc.
  rmSync(join(its.source, 'folder 2'), { recursive: true });
  await its.run(['snapshot', its.source]);
  const empty = (await build(...MEDIA, '--content', 'new')).summary.discs as { number: number }[];
  expect(empty.map(({ number }) => number)).toEqual([before.length + 2]);
  expect((await build(...MEDIA, '--content', 'new')).summary.discs).toEqual([]);
  // The label of the last one knows all of them.
  const folder = extracted(images().at(-1)!, join(its.root, 'last'));
  const label = JSON.parse(readFileSync(join(folder, 'disc.json'), 'utf8')) as { discs: unknown[] };
  expect(label.discs).toHaveLength(before.length + 2);
});

test('a build that is killed at disc 3 leaves 1 and 2 whole, and goes on at 3', async () => {
  const { its, out, take, build, images } = await discPlace();
  await take(1, 100);
  const third = join(out, 'CBR_PHOTOS_0003.iso.part');
  const killed = await its.run(
    ['disc', 'build', '--set', 'photos', ...MEDIA, '--out', out, '--no-progress'],
    {
      during(child) {
        const watch = setInterval(() => {
          if (!existsSync(third)) return;
          child.kill('SIGKILL');
          clearInterval(watch);
        }, 1);
        child.on('close', () => clearInterval(watch));
      },
    },
  );
  expect(killed.signal).toBe('SIGKILL');
  const whole = images();
  expect(whole.map((image) => image.slice(-8))).toEqual(['0001.iso', '0002.iso']);
  const bytes = whole.map((image) => readFileSync(image));
  for (const image of whole) expect((await its.run(['disc', 'verify', image])).code).toBe(0);

  const other = await its.run(['disc', 'build', '--set', 'photos', '--media', 'dvd+r', '--out', out]);
  expect(other).toMatchObject({ code: 2 });
  expect(other.stderr).toContain('--restart');
  const { summary } = await build();
  expect(summary).toMatchObject({ exitCode: 0, resumed: true });
  const made = (summary.discs as { number: number }[]).map(({ number }) => number);
  expect(made).toEqual(made.map((_, i) => 3 + i));
  for (const [i, image] of whole.entries()) expect(readFileSync(image).equals(bytes[i]!)).toBe(true);
  for (const image of images()) expect((await its.run(['disc', 'verify', image])).code).toBe(0);
  expect(readdirSync(out).every((name) => name.endsWith('.iso'))).toBe(true);
  expect((await build(...MEDIA, '--content', 'new')).summary.discs).toEqual([]);
});

test('a damaged pack gets on no disc, and the discs before it stay', async () => {
  const { its, out, take, build, images } = await discPlace();
  await take(1, 60);
  const { summary } = await its.json(['disc', 'plan', '--set', 'photos', ...MEDIA]);
  const { name } = (summary.discs as PlannedDisc[])[1]!.packs[0]!;
  const path = join(its.repo, 'packs', name.slice(0, 2), name);
  const sound = readFileSync(path);
  const damaged = Buffer.from(sound);
  damaged[1000]! ^= 1;
  writeFileSync(path, damaged, { mode: 0o644 });
  const stopped = await build(...MEDIA);
  expect(stopped.code).toBe(4);
  expect(JSON.stringify(stopped.lines)).toContain(name);
  expect(readdirSync(out)).toEqual(['CBR_PHOTOS_0001.iso']);
  rmSync(path);
  writeFileSync(path, sound);
  expect((await build()).summary).toMatchObject({ exitCode: 0, resumed: true });
  for (const image of images()) expect((await its.run(['disc', 'verify', image])).code).toBe(0);
});

test('verify names what is damaged, and says what is no whole disc', async () => {
  const { its, take, build, images } = await discPlace();
  await take(1, 10);
  await build(...MEDIA);
  const [image] = images() as [string];
  const bytes = readFileSync(image);
  const verdict = async (content: Uint8Array) => {
    const copy = join(its.root, 'copy.iso');
    writeFileSync(copy, content);
    return its.json(['disc', 'verify', copy]);
  };
  const damaged = Buffer.from(bytes);
  damaged[bytes.length - 1_000_000]! ^= 1;
  const found = await verdict(damaged);
  expect(found).toMatchObject({ code: 4, problems: [{ code: 'damaged' }] });
  expect(found.summary.damaged).toHaveLength(1);
  expect((await verdict(bytes.subarray(0, -3_000_000))).code).toBe(4);
  expect((await its.run(['disc', 'verify', join(its.root, 'copy.iso')])).stderr).toContain('is cut short');
  expect((await verdict(Buffer.alloc(100_000))).code).toBe(4);
  expect((await its.run(['disc', 'verify', join(its.root, 'none.iso')])).stderr).toContain('does not exist');
  expect((await its.run(['disc', 'verify', its.root])).stderr).toContain('is a folder, neither an image nor');
});

test('verify takes objects that SHA256SUMS does not name for damaged, and says whether they are whole', async () => {
  const { its, take, build, images } = await discPlace();
  await take(1, 3);
  await build(...MEDIA);
  const folder = extracted(images()[0]!, join(its.root, 'extracted'));
  writeFileSync(join(folder, 'SHA256SUMS'), '');
  writeFileSync(join(folder, 'of mine.txt'), 'I have put this here.');
  const [pair] = readdirSync(join(folder, 'packs')) as [string];
  const path = `packs/${pair}/${readdirSync(join(folder, 'packs', pair))[0]}`;
  const pack = readFileSync(join(folder, path));
  pack[1000]! ^= 1;
  chmodSync(join(folder, path), 0o644);
  writeFileSync(join(folder, path), pack);
  const copy = join(its.root, 'copy.iso');
  xorriso(copy, 'COPY', folder);
  const { code, summary, problems } = await its.json(['disc', 'verify', copy]);
  expect(code).toBe(4);
  expect(summary.strangers).toEqual(['of mine.txt']);
  expect(summary.damaged).toEqual(expect.arrayContaining(['config/1', 'disc.json', path]));
  const reason = (object: string) => problems.find((each) => each.object === object)?.message;
  expect(reason('config/1')).toContain('SHA256SUMS has no line for it, and it is whole');
  expect(reason(path)).toContain('and its bytes are not those that were written');
});

function listed(args: readonly string[]): string[] {
  return execFileSync('isoinfo', args, { encoding: 'utf8' }).split('\n');
}
