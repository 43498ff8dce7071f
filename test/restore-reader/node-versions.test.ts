import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { packPath, type Spread, spread } from './disc-folders.js';
import { installNode, nodeOf, OTHER_VERSIONS } from './node-versions.mjs';
import { differences, lostIn, read } from './reader.js';

/** The reader runs by the Node that people have, or will have. The other tests show the one that builds it. */

describe.each(OTHER_VERSIONS)('Node %s', (version) => {
  const node = [nodeOf(version)];
  beforeAll(() => {
    const fault = installNode(version);
    if (fault !== undefined) throw new Error(`Node ${version} cannot be installed: ${fault}`);
  });

  async function restoring({ its, folders }: Spread) {
    const target = its.newTarget();
    const args = ['restore', `latest:${its.source}`, '--target', target, '--discs', ...folders];
    return { ...(await read(args, { node, env: { CBR_PASSWORD: 'secret' } })), target };
  }

  test('restores from encrypted discs', async () => {
    const made = await spread(3, { encrypted: true });
    const { code, stderr, target } = await restoring(made);
    expect(code, stderr).toBe(0);
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('says what is lost', async () => {
    const made = await spread(2);
    const [pack] = made.packs[0]!;
    rmSync(join(made.folders[0]!, packPath(pack!)));
    const run = await restoring(made);
    expect(run.code, run.stderr).toBe(4);
    expect(Object.values(lostIn(run)).every((reason) => reason.includes(pack!))).toBe(true);
  });

  test('restores the golden repository, with all sorts of entries', async () => {
    const repository = join(import.meta.dirname, '../golden/v1-unencrypted/repository');
    const made = await spread(1);
    const [here, there] = [made.its.newTarget(), made.its.newTarget()];
    const restoring = (target: string) => ['restore', '408f3131', '--target', target, '--discs', repository];
    expect((await read(restoring(here))).code).toBe(1);
    const { code, stderr } = await read(restoring(there), { node });
    expect(code, stderr).toBe(1);
    expect(differences(here, there)).toEqual([]);
  });
});
