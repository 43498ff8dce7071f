import { isPartial } from './snapshot-extensions.js';
import type { AboutSnapshot, Snapshot } from './snapshot-record.js';

/** What a snapshot can hold, as its record tells. All paths are raw and absolute. */

type Sources = Pick<AboutSnapshot, 'paths'>;

/** Whether a path is a folder, or lies below it, by their names alone. */
export function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** Whether a source is the path, or a folder above it: then all of the path was to be taken in. */
export function hasSourceFor({ paths }: Sources, path: string): boolean {
  return paths.some((source) => isAtOrBelow(path, source));
}

/** The sources below a path of which no source holds all: of that path a snapshot has these parts only. */
export function partsOf(about: Sources, path: string): readonly string[] {
  return hasSourceFor(about, path) ? [] : about.paths.filter((source) => isAtOrBelow(source, path));
}

/** Whether the snapshot has no such path perhaps only because it was not taken in, or could not be read. */
export type MayLack = (path: string) => boolean;

/** Undefined: what a snapshot does not have was not there. */
export function mayLackOf({ about }: Snapshot): MayLack | undefined {
  if (isPartial(about) || (about.moreErrors ?? 0) > 0) return () => true;
  if (about.errors.length === 0) return undefined;
  const unread = new Set(about.errors.map(({ path }) => path));
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (unread.has(path.slice(0, end))) return true;
    }
    return unread.has('/');
  };
}
