import { join } from 'node:path';
import type { ChunkId } from '../../dist/core/index.js';
import { chunkReader, loadRepository } from '../../dist/repo/index.js';
import { contentItems } from '../../dist/snapshot/content-list.js';
import { findPath } from '../../dist/snapshot/find-path.js';
import { type ContentItem, listSnapshots } from '../../dist/snapshot/index.js';
import type { Scratch } from './scratch-repository.js';

/** What the latest snapshot says of the content of a file of the source: its items, page by page of its content list. */
export async function storedPages(its: Scratch, name: string): Promise<(readonly ContentItem[])[]> {
  return its.use(async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    const reader = chunkReader(repository, await loadRepository(repository));
    const read = (reference: { readonly id: ChunkId; readonly length: number }) =>
      reader.read('tree', reference.id, reference.length);
    const { entry } = await findPath(snapshots.at(-1)!, join(its.source, name), read);
    const pages: (readonly ContentItem[])[] = [];
    for await (const page of contentItems(entry!.content!, entry!.size!, read)) pages.push(page);
    return pages;
  });
}

/** The file that holds a chunk, and the stretch of it that is the chunk's block. */
export async function storedAt(
  its: Scratch,
  id: ChunkId,
): Promise<{ readonly path: string; readonly offset: number; readonly length: number }> {
  return its.use(async (repository) => {
    const found = chunkReader(repository, await loadRepository(repository)).locate(id)!;
    const { name } = found.pack;
    return {
      path: join(its.repo, 'packs', name.slice(0, 2), name),
      offset: found.offset,
      length: found.length,
    };
  });
}
