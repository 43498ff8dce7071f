import {
  displayPath,
  FileError,
  type FilterRule,
  type FolderListing,
  type FolderPatterns,
  folderPatterns,
  isPattern,
  joinRaw,
  type PatternRule,
  patternFault,
  patternLines,
  type RawPath,
  readBeginning,
} from '../../fs/index.js';

/** A folder on the walk through a source. */
export interface FolderPlace {
  readonly path: RawPath;
  /** The same with no symlink on it. */
  readonly real: RawPath;
  /** Raw, relative to the root of the source. */
  readonly relative: string;
}

/** Who hears of rules that cannot be read. */
export interface Told {
  error(path: RawPath, reason: string): void;
  note(path: RawPath, reason: string): void;
}

/** A file of patterns that is longer was hardly written as one; read whole, it could take all memory. */
const LONGEST_BYTES = 2 ** 20;

/**
 * The patterns that hold in a folder, those of its own ignore files before those from above. Where one of them cannot be
 * read, nobody knows what it wants to keep: then no pattern of an ignore file holds there.
 */
export function ignoreFilesIn(
  names: readonly FilterRule[],
  place: FolderPlace,
  { names: listed, stats }: FolderListing,
  above: FolderPatterns | undefined,
  tell: Told,
): FolderPatterns | undefined {
  const rules: PatternRule[] = [];
  for (const { text: name, option } of names) {
    const row = listed.indexOf(name);
    const type = row === -1 ? undefined : stats.type(row);
    const path = joinRaw(place.path, name);
    if (type === 'symlink') tell.note(path, 'is a symlink, and is not followed: no pattern is taken from it');
    if (type !== 'file') continue;
    let content: Uint8Array;
    try {
      content = readBeginning(joinRaw(place.real, name), LONGEST_BYTES + 1, 'none');
      if (content.length > LONGEST_BYTES)
        throw new FileError('source', 'read', path, 'it is longer than 1 MiB');
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // Gone meanwhile: as if it had never been there.
      if (error.errno === 'ENOENT') continue;
      tell.error(path, `its patterns are not known, so none is followed in its folder: ${error.reason}`);
      return undefined;
    }
    for (const [i, text] of patternLines(content).entries()) {
      const rule = { text, option, file: path, line: i + 1, ignoreCase: false };
      const fault = patternFault(text);
      if (fault !== undefined) {
        tell.note(path, `line ${rule.line}, '${displayPath(text)}', is no pattern and left aside: ${fault}`);
      } else if (isPattern(text)) rules.push(rule);
    }
  }
  return rules.length === 0 ? above : folderPatterns(rules, place.relative, above);
}
