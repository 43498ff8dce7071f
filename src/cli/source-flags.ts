import { type Command, Option } from 'commander';
import { CbrError } from '../core/index.js';
import { type RawPath, rawPath, storedRaw } from '../fs/index.js';
import type { StoredUnder, TakeOptions } from '../snapshot/index.js';
import { wholeNumber } from './parse-number.js';
import { gathered } from './parse-text.js';
import { type ListFormat, readPathList, STDIN } from './path-list.js';
import { displayText } from './raw-names.js';

interface Flags {
  readonly filesFrom?: readonly string[];
  readonly filesFrom0?: readonly string[];
  readonly as?: readonly string[];
  readonly followSymlinks?: number;
  readonly dereference?: boolean;
  readonly readDevices?: boolean;
  readonly ignoreInode?: boolean;
  readonly ignoreCtime?: boolean;
  readonly trustMtime?: boolean;
}

/** What of the options of a snapshot says where it reads, and how it tells what changed. */
export type SourceOptions = Pick<
  TakeOptions,
  | 'paths'
  | 'listed'
  | 'storedUnder'
  | 'followLinks'
  | 'readDevices'
  | 'ignoreInodes'
  | 'ignoreCtimes'
  | 'trustMtimes'
>;

export function declareSources(command: Command): void {
  command
    .option(
      '--files-from <file>',
      'take in the paths in this list too, one a line, each as it stands; empty lines and those that begin with # are skipped; - is standard input; several times',
      gathered,
    )
    .option(
      '--files-from0 <file>',
      'the same with a NUL behind each path, as find -print0 writes it',
      gathered,
    )
    .option(
      '--as <path>',
      'store what is read under another path: one for each path given, in the same order; or FROM=PATH for all at or below FROM; several times',
      gathered,
    )
    .addOption(
      new Option(
        '--follow-symlinks <depth>',
        'store what symlinks lead to in their place, where no more than so many links have to be followed on the way to it from the path given; deeper ones are stored as links',
      ).argParser(wholeNumber(1, 40)),
    )
    .addOption(
      new Option(
        '--dereference',
        'the same for all symlinks, however deep; one that leads back into a folder it lies in, or nowhere, is told of and stored as a link',
      ).conflicts('followSymlinks'),
    )
    .option(
      '--read-devices',
      'store the content of block devices that are named, or that named symlinks lead to, as files, which cbr dump writes back to a device; those met in folders stay devices',
    )
    .option(
      '--ignore-inode',
      'take a file for unchanged though its inode number differs; risk: another file of the same size and times, moved in its place, goes unseen',
    )
    .option(
      '--ignore-ctime',
      'take a file for unchanged though its ctime differs; risk: content that was changed and given its old mtime again goes unseen, and so do new ACLs, attributes and flags',
    )
    .option(
      '--trust-mtime',
      'read the content again only if size, mtime or inode differ, and store new metadata without that; risk: content that was changed and given its old mtime again goes unseen',
    );
}

/**
 * The sources that the command line names. Rejects with `usage` for what cannot be meant, and when nothing is named; with
 * the reason of `signal` when that is aborted while a list is read.
 */
export async function sourcesOf(command: Command, signal: AbortSignal): Promise<SourceOptions> {
  const flags = command.opts<Flags>();
  const paths = command.processedArgs[0] as readonly string[];
  const lists = [
    ...(flags.filesFrom ?? []).map((file) => ({ file, format: 'lines' as ListFormat })),
    ...(flags.filesFrom0 ?? []).map((file) => ({ file, format: 'zeros' as ListFormat })),
  ];
  if (paths.length === 0 && lists.length === 0) {
    throw new CbrError('usage', 'nothing to take in is named', {
      hint: 'Name a path, or give --files-from, --stdin or --from-command.',
    });
  }
  if (lists.filter(({ file }) => file === STDIN).length > 1) {
    throw new CbrError('usage', 'only one list can come from standard input');
  }
  const listed: RawPath[] = [];
  for (const { file, format } of lists) {
    for (const path of await readPathList(file, format, signal)) listed.push(path);
  }
  return {
    paths,
    listed,
    storedUnder: storedUnder(flags.as ?? [], paths, lists.length > 0),
    followLinks: flags.dereference === true ? Number.POSITIVE_INFINITY : (flags.followSymlinks ?? 0),
    readDevices: flags.readDevices ?? false,
    ignoreInodes: flags.ignoreInode ?? false,
    ignoreCtimes: flags.ignoreCtime ?? false,
    trustMtimes: flags.trustMtime ?? false,
  };
}

/** A '=' that is part of a path is written `\=`. */
const PARTS = /^((?:[^=\\]|\\.)*)=(.*)$/s;

function storedUnder(names: readonly string[], paths: readonly string[], hasLists: boolean): StoredUnder[] {
  const single = names.filter((name) => !PARTS.test(name));
  if (single.length > 0 && single.length < names.length) {
    throw new CbrError('usage', '--as is given both with FROM= and without', {
      hint: 'Write all as FROM=PATH.',
    });
  }
  if (single.length > 0 && (hasLists || single.length !== paths.length)) {
    const text = `--as is given ${single.length} times for ${paths.length} paths${hasLists ? ' and a list' : ''}`;
    throw new CbrError('usage', text, {
      hint: 'Give it once for each path, in the same order, or as FROM=PATH for all at or below FROM.',
    });
  }
  return names.map((name, i) => {
    const [, from = paths[i]!, to = name] = PARTS.exec(name) ?? [];
    return { from: rawPath(plain(from)), path: absolute(plain(to)) };
  });
}

function plain(text: string): string {
  return text.replaceAll('\\=', '=');
}

function absolute(path: string): RawPath {
  if (path.startsWith('/')) return storedRaw(path);
  throw new CbrError('usage', `--as takes an absolute path, not '${displayText(path)}'`);
}
