import {
  baseName,
  type FolderListing,
  parentPath,
  pathWithoutSymlinks,
  type RawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import { decodeEntry } from '../tree.js';
import { type EncoderParts, FolderEncoder } from './folder-encoder.js';
import { FolderListBuilder } from './folder-state.js';

/** Takes in a source that is no folder; undefined if it cannot be read. Resolves once its content is known. */
export async function takeSingle(
  path: RawPath,
  its: EncoderParts,
): Promise<{ done: Promise<Entry | undefined> }> {
  const stats = new StatTable(1);
  statPath(path, stats);
  const listing: FolderListing = { names: [baseName(path)], stats, vanished: [], failed: [] };
  if (stats.type(0) === 'file') {
    its.tally.files++;
    its.tally.sourceBytes += stats.size(0);
  } else its.tally.others++;
  const builder = new FolderListBuilder(true);
  const places = [builder.add(baseName(path), stats, 0)];
  const list = Buffer.from(builder.list);
  const folder = {
    path: parentPath(path),
    real: parentPath(pathWithoutSymlinks(path)),
    listing,
    rows: [0],
    places,
    list,
    below: new Map(),
    before: undefined,
  };
  const slots = await new FolderEncoder(its, false, true).encode(folder, () => undefined);
  const done = slots.whenFilled(([entry]) => (entry === undefined ? undefined : decodeEntry(entry)));
  done.catch(() => undefined);
  return { done };
}
