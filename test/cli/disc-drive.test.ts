import { existsSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesIn } from './disc-source.js';
import { type OnDiscs, onDiscs } from './on-discs.js';
import { type Dialogue, onTerminal } from './terminal.js';

/** Restores with a drive that holds one disc at a time: each disc is asked for once, in order. */

const asksFor = (number: number): string =>
  `Disc ${number} of the set photos (CBR_PHOTOS_000${number}) is needed.`;

class Drive {
  readonly path: string;

  constructor(private readonly all: OnDiscs) {
    this.path = join(all.its.root, 'drive');
  }

  insert(number: number): void {
    rmSync(this.path, { force: true });
    symlinkSync(this.all.images[number - 1]!, this.path);
  }

  /** Puts in what is asked for. */
  serve(number: number): Dialogue {
    return { when: asksFor(number), act: () => this.insert(number), type: '\n' };
  }

  async restore(target: string, dialogue: readonly Dialogue[]) {
    const { its } = this.all;
    const args = [
      '-r',
      `disc:${this.path}`,
      'restore',
      `latest:${its.source}`,
      '--target',
      join(its.root, target),
    ];
    return { ...(await this.run(args, dialogue)), files: filesIn(join(its.root, target)) };
  }

  check(dialogue: readonly Dialogue[]) {
    return this.run(['-r', `disc:${this.path}`, 'check', '--read-data'], dialogue);
  }

  copy(to: string, dialogue: readonly Dialogue[]) {
    return this.run(['-r', `disc:${this.path}`, 'copy', '--to', to], dialogue);
  }

  private async run(args: readonly string[], dialogue: readonly Dialogue[]) {
    const { code, screen } = await onTerminal(this.all.its, args, dialogue, 300);
    const asked = [...screen.matchAll(/Disc (\d) of the set photos \(\w+\) is needed/g)].map(([, number]) =>
      Number(number),
    );
    return { code, screen, asked };
  }
}

/** Copies of packs that nobody needs any more. */
const spooled = ({ its }: OnDiscs): string[] => {
  const folder = join(its.cache, 'staging');
  return existsSync(folder) ? readdirSync(folder) : [];
};

test('each disc is put in once, in the order of their numbers', async () => {
  const all = await onDiscs();
  const drive = new Drive(all);
  drive.insert(1);
  const run = await drive.restore('out', [drive.serve(2), drive.serve(3)]);
  expect(run.asked).toEqual([2, 3]);
  expect(run.code).toBe(0);
  expect(run.files).toEqual(all.files);
  expect(spooled(all)).toEqual([]);
  // Nothing is needed a second time.
  const again = await drive.restore('out', []);
  expect({ code: again.code, asked: again.asked }).toEqual({ code: 0, asked: [] });
});

test('where only the last disc has the index and the trees, it comes first', async () => {
  const all = await onDiscs({ index: 'last', treePacks: 'last' });
  const drive = new Drive(all);
  drive.insert(2);
  const run = await drive.restore('out', [drive.serve(3), drive.serve(1), drive.serve(2)]);
  expect(run.asked).toEqual([3, 1, 2]);
  expect(run.code).toBe(0);
  expect(run.files).toEqual(all.files);
});

test('a check of all data has each disc put in once, and draws nothing over the question', async () => {
  const drive = new Drive(await onDiscs());
  drive.insert(3);
  const run = await drive.check([drive.serve(1), drive.serve(2)]);
  expect(run.asked).toEqual([1, 2]);
  expect(run.code).toBe(0);
  expect(run.screen).toContain('No damage was found.');
  for (const question of run.screen.split('is needed. ').slice(1)) {
    // What was typed ends the line.
    expect(question.slice(0, question.indexOf('\n'))).not.toMatch(/%|checking/);
  }
});

test('a check that begins with a disc that does not know all has the last one put in, and finds no damage', async () => {
  const drive = new Drive(await onDiscs({ index: 'last', treePacks: 'last' }));
  drive.insert(2);
  const run = await drive.check([drive.serve(3), drive.serve(1), drive.serve(2)]);
  expect(run.asked).toEqual([3, 1, 2]);
  expect(run.code).toBe(0);
  expect(run.screen).toContain('No damage was found.');
});

test.each([
  ['every disc', {}, 3, [1, 2]],
  ['the last disc alone', { index: 'last', treePacks: 'last' }, 2, [3, 1, 2]],
] as const)(
  'a copy has each disc put in once, with index and trees on %s',
  async (_, options, first, order) => {
    const all = await onDiscs(options);
    const { its } = all;
    const drive = new Drive(all);
    drive.insert(first);
    const to = join(its.root, 'copy');
    expect((await its.run(['-r', to, 'init', '--no-encryption'])).code).toBe(0);
    const run = await drive.copy(
      to,
      order.map((number) => drive.serve(number)),
    );
    expect(run.asked).toEqual(order);
    expect(run.code).toBe(0);
    expect(spooled(all)).toEqual([]);
    const target = join(its.root, 'restored');
    const restored = await its.run(['-r', to, 'restore', `latest:${its.source}`, '--target', target]);
    expect(restored.code).toBe(0);
    expect(filesIn(target)).toEqual(all.files);
    // What is there already needs no disc.
    expect((await drive.copy(to, [])).asked).toEqual([]);
  },
);

test('a disc that is skipped costs its files, which are listed with its name', async () => {
  const all = await onDiscs();
  const drive = new Drive(all);
  drive.insert(3);
  const run = await drive.restore('out', [drive.serve(1), { when: asksFor(2), type: 's\n' }]);
  expect(run.asked).toEqual([1, 2]);
  expect(run.code).toBe(4);
  const lost = Object.keys(all.files).filter((path) => !(path in run.files));
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThan(Object.keys(all.files).length);
  const end = run.screen.slice(run.screen.indexOf('Problems:'));
  for (const path of lost) expect(end).toContain(path);
  expect(end).toContain('on disc 2 of the set photos (CBR_PHOTOS_0002), which is missing');
});

test('a folder to which images are added one at a time: only those that are needed', async () => {
  const all = await onDiscs();
  const { its, images, discs } = all;
  const aside = images.map((image, i) => {
    const away = join(its.root, `away-${i + 1}.iso`);
    renameSync(image, away);
    return away;
  });
  renameSync(aside[0]!, images[0]!);
  const put = (number: number): Dialogue => ({
    when: asksFor(number),
    act: () => renameSync(aside[number - 1]!, images[number - 1]!),
    type: '\n',
  });
  const args = ['-r', all.location, 'restore', `latest:${its.source}`, '--target', join(its.root, 'out')];
  const run = await onTerminal(its, args, [put(2), put(3)], 300);
  expect(run.code).toBe(0);
  expect(filesIn(join(its.root, 'out'))).toEqual(all.files);
  expect(discs).toHaveLength(3);
  expect(spooled(all)).toEqual([]);
});
