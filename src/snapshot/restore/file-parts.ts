import { CbrError, chunkIdBytes } from '../../core/index.js';
import { TargetFolder } from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type ContentItem, type Entry, itemBytes } from '../entry.js';
import type { VerifyInput } from './restore-tasks.js';

/** A file in parts of one page of its content list each, to be compared: memory is bounded, whatever its size. */
export async function* partsOf(
  folder: TargetFolder | 'missing' | 'unreadable',
  entry: Entry,
  read: ReadTreeChunk,
): AsyncGenerator<VerifyInput> {
  if (!(folder instanceof TargetFolder)) throw new CbrError('target', 'its folder is not there');
  const size = entry.size ?? 0;
  let offset = 0;
  for await (const items of contentItems(entry.content!, size, read)) {
    const end = items.reduce((sum, item) => sum + itemBytes(item), offset);
    const part = { folder: folder.handle(), name: entry.name, offset, isLast: end === size };
    yield { ...part, ...packItems(items) };
    offset = end;
  }
}

/** Content items in columns, as they cross to a worker. */
export function packItems(items: readonly ContentItem[]): { items: Float64Array; ids: Uint8Array } {
  return {
    items: Float64Array.from(items, (item) => (item.id === undefined ? -item.hole : item.length)),
    ids: Buffer.concat(items.flatMap((item) => (item.id === undefined ? [] : [chunkIdBytes(item.id)]))),
  };
}
