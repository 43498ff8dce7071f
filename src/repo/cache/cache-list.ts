import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from '../../core/index.js';
import { readAbout } from './cache-folder.js';
import { type Claim, claimFolder, isHeld } from './claim.js';

export interface CacheListing {
  readonly folder: string;
  /** Hexadecimal. */
  readonly repositoryId: string;
  /** How the user named the repository. */
  readonly location: string;
  /** Bytes of all files. */
  readonly size: number;
  /** Of these, bytes of the row stores beside the cache (row-store.ts), by their folders. */
  readonly rowStores: ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly lastUsed: number;
  readonly inUse: boolean;
}

/** Bytes of all files in a folder; what disappears meanwhile counts nothing. */
function sizeOf(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      total += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return total;
}

/** The folders of row stores: what is private to a process is not marked as somebody's. */
function rowStoresIn(folder: string): string[] {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).filter((name) => readAbout(join(folder, name)) !== undefined);
}

/** The caches in the folders directly below `cacheRoot`, by location; a root that does not exist has none. */
export function listCaches(cacheRoot: string, identity: ProcessIdentity): CacheListing[] {
  if (!existsSync(cacheRoot)) return [];
  const found: CacheListing[] = [];
  for (const name of readdirSync(cacheRoot)) {
    const folder = join(cacheRoot, name);
    const about = readAbout(folder);
    if (about === undefined) continue;
    const stores = rowStoresIn(folder);
    const marks = ['state', 'about', ...stores.map((store) => join(store, 'state'))];
    const used = marks.map((file) => statSync(join(folder, file), { throwIfNoEntry: false }));
    const lastUsed = Math.max(...used.map((stat) => stat?.mtimeMs ?? 0));
    found.push({
      folder,
      ...about,
      size: sizeOf(folder),
      rowStores: new Map(stores.map((store) => [store, sizeOf(join(folder, store))])),
      lastUsed,
      inUse: [folder, ...stores.map((store) => join(folder, store))].some((each) => isHeld(each, identity)),
    });
  }
  return found.sort((a, b) => (a.location < b.location ? -1 : a.location > b.location ? 1 : 0));
}

/**
 * Removes a cache with the row stores beside it; false when a process that may be alive uses one of them. `now` in
 * milliseconds since the epoch.
 */
export async function clearCache(folder: string, identity: ProcessIdentity, now: number): Promise<boolean> {
  const claims: Claim[] = [];
  for (const each of [folder, ...rowStoresIn(folder).map((store) => join(folder, store))]) {
    const result = await claimFolder(each, identity, now);
    if (result.kind === 'busy') {
      for (const claim of claims) claim.release();
      return false;
    }
    claims.push(result.claim);
  }
  // A process that comes now finds its claim gone at its end, and leaves nothing behind.
  rmSync(folder, { recursive: true, force: true });
  return true;
}
