import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lookAt, MetadataWriter, Owners, openTarget, type Problem, rawPath } from '../../dist/fs/index.js';
import type { Entry } from '../../dist/snapshot/index.js';
import type { PlacedEntry } from '../../dist/snapshot/restore/file-underway.js';
import { InlineAttributes } from '../../dist/snapshot/restore/inline-attributes.js';
import { OtherEntries } from '../../dist/snapshot/restore/other-entries.js';
import { RestoreReport } from '../../dist/snapshot/restore/restore-report.js';
import { scratch } from './scratch-repository.js';

/** What a restore does to the metadata of what exists. */

test('what cannot be set is told by the name that the entry gets, not by one that it had for a moment', async () => {
  const its = scratch();
  symlinkSync('before', join(its.source, 'link'));
  const folder = openTarget(rawPath(its.source));
  const problems: Problem[] = [];
  const writer = new MetadataWriter(new Owners(), problems);
  const report = new RestoreReport(
    () => undefined,
    false,
    undefined,
    () => 0,
  );
  const attributes = new InlineAttributes(() => Promise.reject(new Error('asked for nothing')), report);
  const ends: string[] = [];
  const others = new OtherEntries(writer, report, attributes, (_, end) => ends.push(end));
  const entry: Entry = {
    ...{ name: 'link', type: 'symlink', mode: 0o777, uid: process.geteuid!(), gid: process.getegid!() },
    ...{ mtime: { seconds: 1, nanoseconds: 0 }, linkTarget: 'after' },
    // No file system keeps these of a symlink.
    xattrs: [{ name: 'user.some', value: Buffer.from('x') }],
  };
  const placed = { node: { folder }, entry, path: 'link' } as unknown as PlacedEntry;
  await others.restore(placed, { seen: lookAt(folder, 'link')! });
  folder.close();
  expect(ends).toEqual(['restored']);
  expect(problems).toMatchObject([{ path: join(its.source, 'link'), what: 'xattr user.some' }]);
});
