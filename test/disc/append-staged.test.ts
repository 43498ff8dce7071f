import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  type Backend,
  forwardTo,
  type ObjectKind,
  objectPath,
  openLocalBackend,
} from '../../dist/backends/index.js';
import { MIB } from '../../dist/core/index.js';
import { openDiscs } from '../../dist/disc/images/open-discs.js';
import { withAppendLock } from '../../dist/disc/staged/append-lock.js';
import { appendStaged } from '../../dist/disc/staged/append-staged.js';
import { ImageView } from '../../dist/disc/staged/image-view.js';
import { readSettings } from '../../dist/disc/staged/staged-settings.js';
import { place } from '../cli/run.js';
import { randomContent } from '../snapshot/random-content.js';

/** What new images get of what was there before, while other processes write to what is staged. */

const SOURCE = join(import.meta.dirname, '../../package.json');
const MEDIUM_BYTES = 40 * MIB;

async function staging() {
  const its = place();
  const folder = join(its.root, 'discs');
  const made = await its.run(['init', '-r', `disc:${folder}?media=${MEDIUM_BYTES}`, '--no-encryption']);
  expect(made).toMatchObject({ code: 0 });
  const staged = await openLocalBackend(join(folder, 'staging/objects'));
  const hidden = await openLocalBackend(join(folder, 'staging/hidden'));
  const common = { ask: async () => 'skip' as const, report: () => undefined, stagingFolder: its.root };
  const view = new ImageView({ ...common, path: folder, location: folder });
  onTestFinished(async () => {
    await view.close();
    await staged.close();
    await hidden.close();
  });
  const { signal } = new AbortController();
  const settings = (await readSettings(folder))!;
  const restore = { reader: SOURCE, format: SOURCE };
  /** `meanwhile`: what another process does whenever objects of a kind are looked for, and when an image is written. */
  const append = (meanwhile: (when: ObjectKind | 'written') => Promise<void> = async () => undefined) => {
    const watched: Backend = {
      ...forwardTo(staged),
      async *list(kind, options) {
        await meanwhile(kind);
        yield* staged.list(kind, options);
      },
      async remove(...call) {
        await meanwhile('written');
        await staged.remove(...call);
      },
    };
    const rest = { folder, settings, hidden, view, restore, report: () => undefined, now: () => 0, signal };
    return withAppendLock(
      folder,
      signal,
      () => undefined,
      (mark) => appendStaged({ ...rest, staged: watched, mark }),
    );
  };
  const images = () => readdirSync(folder).filter((name) => name.endsWith('.iso'));
  /** Paths of objects that one image shows. */
  const shown = async (image: string, kind: ObjectKind): Promise<string[]> => {
    const path = join(folder, image);
    const open = await openDiscs({ ...common, path, location: path });
    const found: string[] = [];
    for await (const { name } of open.list(kind)) found.push(objectPath(kind, name));
    await open.close();
    return found;
  };
  let seed = 0;
  /** Named by the digest of its bytes. */
  const put = async (kind: 'packs' | 'index', bytes: number): Promise<void> => {
    const content = randomContent(++seed, bytes);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await staged.write(kind, sha256, content, { sha256 });
  };
  return { staged, hidden, append, images, shown, put };
}

const record = (digit: number): string => String(digit).repeat(32);

test('what another process commits meanwhile is on no image before its packs', async () => {
  const { staged, append, images, shown, put } = await staging();
  await put('packs', 30 * MIB);
  await staged.write('snapshots', record(1), new Uint8Array(100));
  let looks = 0;
  await append(async (kind) => {
    // Each kind is looked for twice: as what is new, and as what was there.
    if (kind !== 'keys' || ++looks !== 2) return;
    await put('packs', 30 * MIB);
    await put('packs', 30 * MIB);
    await staged.write('snapshots', record(2), new Uint8Array(100));
  });
  expect(images()).toHaveLength(3);
  for (const image of images())
    expect(await shown(image, 'snapshots')).not.toContain(`snapshots/${record(2)}`);
  await append();
  expect(await shown(images()[2]!, 'snapshots')).toHaveLength(2);
});

test('what another process removes meanwhile is no reason to fail, and does not come back', async () => {
  const { staged, append, images, shown, put } = await staging();
  await put('packs', 30 * MIB);
  for (const digit of [1, 2]) await staged.write('snapshots', record(digit), new Uint8Array(100));
  await append();
  await put('packs', 30 * MIB);
  await staged.write('snapshots', record(3), new Uint8Array(100));
  await append(async (kind) => {
    if (kind !== 'packs') return;
    await staged.remove('snapshots', record(1));
    await staged.remove('snapshots', record(3));
  });
  expect(images()).toHaveLength(2);
  expect(await shown(images()[1]!, 'snapshots')).toEqual([`snapshots/${record(2)}`]);
});

test('a key that is removed while the first image with it is written opens nothing', async () => {
  const { staged, hidden, append, put } = await staging();
  await put('packs', MIB);
  await staged.write('keys', record(1), new Uint8Array(100));
  await append(async (when) => {
    if (when === 'written') await staged.remove('keys', record(1));
  });
  await expect(hidden.stat('keys', record(1))).resolves.toBeDefined();
});

test('an image that has no room for a pack and what was there before gets the pack', async () => {
  const { append, images, shown, put } = await staging();
  await put('index', 3.5 * MIB);
  await append();
  await put('packs', 37 * MIB);
  await append();
  expect(images()).toHaveLength(2);
  expect(await shown(images()[1]!, 'packs')).toHaveLength(1);
  expect(await shown(images()[1]!, 'index')).toHaveLength(0);
});
