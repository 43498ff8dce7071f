import { expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import {
  extensionOf,
  rewrittenFrom,
  withExtension,
  withRewrittenFrom,
} from '../../dist/snapshot/snapshot-extensions.js';
import { encodeAbout, snapshotOf } from '../../dist/snapshot/snapshot-record.js';
import { ABOUT as about } from '../repo/snapshot-samples.js';

const IDS = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'] as SessionId[];

test('a snapshot says which ones it was made from, and keeps what it does not know', () => {
  expect(rewrittenFrom(about)).toEqual([]);
  const other = withExtension(about, 'of a later version', Buffer.from('x'));
  const rewritten = withRewrittenFrom(withRewrittenFrom(other, [IDS[1]!]), IDS);
  const root = { id: Buffer.alloc(32, 1), length: 5 };
  const read = snapshotOf(IDS[0]!, {
    outcome: 'commit',
    root,
    segments: [],
    seen: [],
    about: encodeAbout(rewritten),
  });
  expect(rewrittenFrom(read.about)).toEqual(IDS);
  expect(Buffer.from(extensionOf(read.about, 'of a later version')!).toString()).toBe('x');
  expect(read.about.extensions).toHaveLength(2);
});

test('a value cut short gives the ids that are whole', () => {
  const cut = withExtension(
    about,
    'rewritten-from',
    Buffer.from(`${IDS[0]}${IDS[1]}`, 'hex').subarray(0, 31),
  );
  expect(rewrittenFrom(cut)).toEqual([IDS[0]]);
});
