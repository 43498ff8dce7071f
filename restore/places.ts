import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readConfigs } from './config.js';
import { type DiscInfo, readDiscInfo } from './disc.js';
import { EXIT, Failure, messageOf, rethrowUnlessDamage } from './failure.js';
import { Store } from './store.js';

/** Finds discs and repositories among folders. */

export interface FoundFolder {
  readonly folder: string;
  readonly disc: DiscInfo | undefined;
  /** Id of the repository, 32 hexadecimal digits. */
  readonly repository: string;
  /** As its config says; absent where none can be read. */
  readonly isEncrypted: boolean | undefined;
  /** What is wrong with it; its objects are used all the same. */
  readonly problem: string | undefined;
}

export interface SearchedPlaces {
  /** The folder of the disc that the program lies on. */
  readonly own: string;
  readonly current: string;
  readonly given: readonly string[];
  /** Given folders may have become empty: a disc was taken out. */
  readonly isSecondLook?: boolean;
}

const IMAGE = /\.(iso|img|udf)$/i;
const UNPACK =
  'Mount each, or unpack it into a folder of its own (bsdtar -xf IMAGE, or 7z x IMAGE), and give those to --discs.';

/**
 * The folders given and what lies in them, the disc of the program, the current folder and what lies in it, then the neighbours of that
 * disc. Throws a Failure for a given folder that holds nothing of the kind.
 */
export function findFolders(places: SearchedPlaces): FoundFolder[] {
  const found = new Map<string, FoundFolder>();
  const look = (folder: string): boolean => {
    const path = realPathOf(folder);
    if (path === undefined) return false;
    const here = found.get(path) ?? examine(folder);
    if (here === undefined) return false;
    found.set(path, here);
    return true;
  };
  const lookInto = (folder: string): boolean => {
    const hits = [folder, ...foldersIn(folder)].map((each) => look(each));
    return hits.includes(true);
  };
  for (const folder of places.given) {
    if (places.isSecondLook) {
      lookInto(folder);
      continue;
    }
    if (!isFolder(folder)) {
      if (IMAGE.test(folder) && existsSync(folder)) {
        throw new Failure(EXIT.usage, `${folder} is an image of a disc, not a folder`, UNPACK);
      }
      throw new Failure(
        EXIT.usage,
        `${folder} is not a folder`,
        'Give --discs folders: where discs are mounted, or copies of them.',
      );
    }
    if (!lookInto(folder)) {
      if (foldersIn(folder).some((each) => IMAGE.test(each))) {
        throw new Failure(EXIT.noRepository, `in ${folder} there are images of discs, not discs`, UNPACK);
      }
      throw new Failure(
        EXIT.noRepository,
        `no disc and no repository in ${folder}`,
        'A disc has a file disc.json and a folder config. Is it mounted there?',
      );
    }
  }
  look(places.own);
  lookInto(places.current);
  for (const neighbour of foldersIn(dirname(places.own))) look(neighbour);
  return [...found.values()];
}

function examine(folder: string): FoundFolder | undefined {
  let disc: DiscInfo | undefined;
  let problem: string | undefined;
  try {
    disc = readDiscInfo(folder);
  } catch (error) {
    rethrowUnlessDamage(error);
    problem = messageOf(error);
  }
  const store = new Store([folder]);
  try {
    const configs = readConfigs(store);
    const repository = configs.repository ?? disc?.repository;
    if (repository === undefined) return undefined;
    const isEncrypted = configs.configs[0]?.encrypted;
    return { folder: resolve(folder), disc, repository, isEncrypted, problem };
  } finally {
    store.close();
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  return realPathOf(path) !== undefined;
}

function realPathOf(folder: string): string | undefined {
  try {
    const path = realpathSync(folder);
    return statSync(path).isDirectory() ? path : undefined;
  } catch {
    return undefined;
  }
}
