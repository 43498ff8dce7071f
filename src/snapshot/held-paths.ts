import { parentPath, type RawPath } from '../fs/index.js';
import { isPartial, listedIn } from './snapshot-extensions.js';
import type { AboutSnapshot, Snapshot } from './snapshot-record.js';

/** What a snapshot can hold, as its record tells. All paths are raw and absolute. */

type Sources = Pick<AboutSnapshot, 'paths' | 'extensions'>;

/** Whether a path is a folder, or lies below it, by their names alone. */
export function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** Whether a source stands for a long list: of what is in it only some was named. */
export function isListed(about: Sources, source: string): boolean {
  const lists = listedIn(about);
  return lists.includes(source) || lists.includes('/');
}

/** Whether a source is the path, or a folder above it: then all of the path was to be taken in. */
export function hasSourceFor(about: Sources, path: string): boolean {
  return about.paths.some((source) => isAtOrBelow(path, source) && !isListed(about, source));
}

/** The sources that hold something of a path, or perhaps do. */
export function sourcesOf(about: Sources, path: string): string[] {
  return about.paths.filter((source) => isAtOrBelow(source, path) || isAtOrBelow(path, source));
}

/** The sources below a path of which no source holds all, or what of it was named: of that path a snapshot has these parts only. */
export function partsOf({ paths }: Sources, path: string): readonly string[] {
  const isHeld = paths.some((source) => isAtOrBelow(path, source));
  return isHeld ? [] : paths.filter((source) => isAtOrBelow(source, path));
}

/** Whether the snapshot has no such path perhaps only because it was not taken in, or could not be read. */
export type MayLack = (path: string) => boolean;

/** Undefined: what a snapshot does not have was not there. */
export function mayLackOf({ about }: Snapshot): MayLack | undefined {
  if (isPartial(about) || (about.moreErrors ?? 0) > 0) return () => true;
  if (about.errors.length === 0) return undefined;
  const unread = unreadPaths(about);
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (unread.has(path.slice(0, end))) return true;
    }
    return unread.has('/');
  };
}

/** The paths that a snapshot could not read, as far as it recorded them. */
export function unreadPaths({ errors }: Pick<AboutSnapshot, 'errors'>): ReadonlySet<string> {
  return new Set(errors.map(({ path }) => wholePath(path)));
}

/** As many bytes of the path of an error does a snapshot record (take/run.ts). */
const ERROR_PATH_BYTES = 4096;

/** One that was cut off may stand for anything in the deepest folder that is whole. */
function wholePath(path: string): string {
  return path.length < ERROR_PATH_BYTES ? path : parentPath(path as RawPath);
}
