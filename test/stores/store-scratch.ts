import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { InitParameters, OpenOptions } from '../../dist/repo/index.js';
import { Scratch } from '../snapshot/scratch-repository.js';
import { hastyBackend } from './s3-subject.js';

/** Small, so that there are many objects. */
const SMALL = { chunkBytes: 16 * 1024, blockBytes: 64 * 1024, packBytes: 256 * 1024 };

/** As `Scratch`, with a repository in a store; each call has connections of its own. */
export class StoreScratch extends Scratch {
  private opened = 0;

  constructor(readonly location: string) {
    super();
  }

  /** For one call: as another process, another machine even with another cache, and by another way when `location` says so. */
  async opening({
    location = this.location,
    cacheRoot = this.cache,
  }: Partial<OpenOptions> = {}): Promise<Partial<OpenOptions>> {
    const medium = await hastyBackend(location, join(this.root, `staged-${++this.opened}`));
    return { location, cacheRoot, wrapBackend: () => medium };
  }

  /** A cache folder that nobody has used. */
  newCache(): string {
    return join(this.root, `cache-${++this.opened}`);
  }
}

/** A scratch folder that is removed when the test is over, and its repository; whose location the proxies do not count. */
export async function storeScratch(
  location: string,
  changes: Partial<InitParameters> = {},
): Promise<StoreScratch> {
  const made = new StoreScratch(location);
  onTestFinished(() => made.remove());
  await made.init({ ...SMALL, ...changes }, await made.opening());
  return made;
}
