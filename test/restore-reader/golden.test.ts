import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { place } from '../cli/run.js';
import { readExpected } from '../golden/expected.js';
import { differences, read } from './reader.js';

/** The golden repositories, of which every later program has to restore everything: so has the reader on the discs. */

const WITH_ACL = './srv/golden/tree/metadata/acl';

describe.each(['v1-encrypted', 'v1-unencrypted'])('%s', (name) => {
  const folder = join(import.meta.dirname, '../golden', name);
  const repository = join(folder, 'repository');
  const { passwords, snapshots } = readExpected(folder);
  const env: Record<string, string> = passwords[0] === undefined ? {} : { CBR_PASSWORD: passwords[0] };

  test('list tells of all snapshots, with the tags and comments of their notes', async () => {
    const { code, stdout, stderr } = await read(['list', '--discs', repository], { env });
    expect(code, stderr).toBe(0);
    const lines = stdout.split('\n').filter((line) => /^ {2}[0-9a-f]{16} /.test(line));
    expect(lines).toHaveLength(snapshots.length);
    for (const { snapshot, tags, comment } of snapshots) {
      const line = lines.find((each) => each.startsWith(`  ${snapshot.slice(0, 16)}`))!;
      for (const tag of tags as string[]) expect(line).toContain(tag);
      if (typeof comment === 'string') expect(line).toContain(`"${comment}"`);
    }
  });

  test.each(snapshots.map(({ snapshot }) => snapshot))('%s is restored as by cbr', async (snapshot) => {
    const its = place();
    const [byCbr, byReader] = [join(its.root, 'cbr'), join(its.root, 'reader')];
    const options = { env: { ...env, CBR_REPO: repository } };
    await its.run(['restore', snapshot, '--target', byCbr, '--numeric-ids'], options);
    const { code, stderr } = await read(
      ['restore', snapshot.slice(0, 8), '--target', byReader, '--discs', repository],
      {
        env,
      },
    );
    // The devices cannot be made, and the socket is not made; both are told.
    expect(code, stderr).toBe(1);
    expect(stderr).toContain('special/block: it is a block device');
    expect(stderr).toContain('special/character: it is a character device');
    expect(stderr).toContain('special/socket');
    expect(stderr).toContain('metadata/xattrs');
    // Without its ACL the group has what it had, not the mask.
    const [different, ...others] = differences(byCbr, byReader);
    expect(others).toEqual([]);
    expect(different).toMatch(new RegExp(`^${WITH_ACL}: 100664 .* became 100644 `));
  });

  test('any key opens it', async () => {
    for (const password of passwords) {
      const { code } = await read(['list', '--discs', repository], { env: { CBR_PASSWORD: password } });
      expect(code).toBe(0);
    }
  });
});
