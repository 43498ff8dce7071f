import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { filled, mirrorTo, newMirror, objectsOf } from './mirror-subject.js';
import { expectClean, objectsIn } from './prune-subject.js';

test('a record that was replaced is told, kept as it was, and stops nothing else', async () => {
  const its = await filled();
  const copy = newMirror();
  await mirrorTo(its.repo, copy.repo);
  const [first, second] = objectsIn(its, 'snapshots').map((name) => join(its.repo, 'snapshots', name));
  const before = objectsOf(copy.repo);
  // Whole, for each ends with its own digest, and of another length.
  const longer = Buffer.concat([readFileSync(first!).subarray(0, -32), Buffer.alloc(1)]);
  chmodSync(second!, 0o600);
  writeFileSync(second!, Buffer.concat([longer, createHash('sha256').update(longer).digest()]));
  const { copied, damaged, removed } = await mirrorTo(its.repo, copy.repo);
  expect(damaged).toEqual([
    expect.objectContaining({
      object: `snapshots/${basename(second!)}`,
      reason: expect.stringContaining('it was replaced'),
    }),
  ]);
  expect(copied.objects).toBe(0);
  expect(removed.objects).toBe(0);
  expect(objectsOf(copy.repo)).toEqual(before);
  await expectClean(copy);
});
