import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { loopDrive, reads } from './disc-loops.js';
import { discPlace, PACK_BYTES } from './disc-place.js';

/** Images fill discs as far as packs go, and never beyond. */

const can = probeAbilities();
tellMissing(can, 'Discs of exact sizes');

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

const MIB = 2 ** 20;

testLoops?.(
  'each image goes on a disc of exactly the size, and less than one pack is left free on all but the last',
  async () => {
    const { its, out, take } = await discPlace();
    await take(1, 400);
    const { device, insert } = loopDrive(its);
    for (const [set, media, bytes] of [
      ['even', '48MiB', 48 * MIB],
      ['odd', '31234567', 31_234_567 - (31_234_567 % 2048)],
    ] as const) {
      const folder = `${out}/${set}`;
      const build = ['disc', 'build', '--set', set, '--out', folder, '--media', media, '--no-progress'];
      const { summary } = await its.json(build);
      const built = summary.discs as readonly { readonly image: string; readonly bytes: number }[];
      expect(built.length).toBeGreaterThanOrEqual(3);
      for (const [i, { image, bytes: size }] of built.entries()) {
        expect(statSync(image).size).toBe(size);
        insert(`${set} ${i}`, bytes);
        const burned = await its.run(['disc', 'burn', image, '--device', device, '--no-progress']);
        expect(burned).toMatchObject({ code: 0, stderr: '' });
        expect(reads(device, image)).toBe(true);
        expect(size).toBeLessThanOrEqual(bytes);
        if (i < built.length - 1) expect(bytes - size).toBeLessThan(PACK_BYTES + 100_000);
      }
    }
  },
);
