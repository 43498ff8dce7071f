import { execFileSync } from 'node:child_process';
import { NO_RULES } from '../../dist/fs/index.js';
import {
  type Change,
  type DiffOptions,
  diffLive,
  diffSnapshots,
  type LiveOptions,
  type ProblemEvent,
} from '../../dist/snapshot/index.js';
import type { Scratch } from './scratch-repository.js';
import { type Facts, factsOf } from './tree-facts.js';

export interface Diffed {
  /** Paths relative to the source. */
  readonly changes: readonly Change[];
  readonly problems: readonly ProblemEvent[];
  readonly isCut: boolean;
  /** Of entries that only one side has, which one that is. */
  readonly unsure?: readonly ('before' | 'after')[];
}

const OPTIONS: DiffOptions = Object.freeze({
  rules: NO_RULES,
  times: false,
  signal: new AbortController().signal,
});

async function gathered(
  batches: AsyncIterable<{ readonly changes: readonly Change[]; readonly isCut: boolean }>,
): Promise<Diffed> {
  const changes: Change[] = [];
  let isCut = false;
  for await (const batch of batches) {
    changes.push(...batch.changes);
    isCut = batch.isCut;
  }
  return { changes, problems: [], isCut };
}

/** The changes of the source from the last snapshot but one to the last. */
export async function diffed(its: Scratch, changes: Partial<DiffOptions> = {}): Promise<Diffed> {
  const [before, after] = (await its.snapshots()).slice(-2);
  const path = its.source;
  const unsure: ('before' | 'after')[] = [];
  const found = await its.use((repository) =>
    gathered(
      diffSnapshots(
        repository,
        { snapshot: before!, path },
        { snapshot: after!, path },
        { ...OPTIONS, ...changes },
        (only) => unsure.push(only),
      ),
    ),
  );
  return { ...found, unsure };
}

/** The changes from the last snapshot to the source as it is now. */
export async function diffedLive(its: Scratch, changes: Partial<LiveOptions> = {}): Promise<Diffed> {
  const snapshot = (await its.snapshots()).at(-1)!;
  const problems: ProblemEvent[] = [];
  const found = await its.use((repository) =>
    gathered(
      diffLive(
        repository,
        { snapshot, path: its.source },
        { ...OPTIONS, compareContent: true, oneFileSystem: false, ownFolders: [], ...changes },
        (event) => {
          if (event.type === 'problem') problems.push(event);
        },
      ),
    ),
  );
  return { ...found, problems };
}

/** `kind path` of each change, in their order. */
export const told = ({ changes }: Diffed): string[] =>
  changes.map(({ kind, path, from }) => `${kind} ${from === undefined ? '' : `${from} -> `}${path}`);

/** The facts of a tree, with the extended attributes of each entry. */
export function allFactsOf(root: string): Facts {
  const facts: Record<string, string> = { ...factsOf(root) };
  const listing = execFileSync('getfattr', ['-Rhd', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26,
  });
  for (const part of listing.split('\n\n')) {
    const [head = '', ...attributes] = part.split('\n');
    const name = head.slice('# file: '.length).replace(/\\([0-7]{3})/g, (_, octal: string) => {
      return String.fromCharCode(Number.parseInt(octal, 8));
    });
    const path = name === '.' ? name : `./${name.replace(/^\.\//, '')}`;
    if (facts[path] !== undefined) facts[path] += ` | ${attributes.join(' ')}`;
  }
  return facts;
}

/** What of the facts of an entry a diff has no word for: how many names it has, which, and when it was changed. */
function essence(words: string): string {
  return words
    .split(' | ')
    .filter((word) => !/^(?:mtime|names|same as) /.test(word))
    .join();
}

/** What changed between two trees, by what other programs say of them; what was moved is removed and added. */
export function changesByFacts(before: Facts, after: Facts): string[] {
  const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
  const found: string[] = [];
  for (const path of paths) {
    const [then, now] = [before[path], after[path]];
    const relative = path === '.' ? '' : path.slice(2);
    if (then === undefined) found.push(`added ${relative}`);
    else if (now === undefined) found.push(`removed ${relative}`);
    else if (essence(then) !== essence(now)) found.push(`changed ${relative}`);
  }
  return found.sort();
}

/** The same of a diff. */
export function plainly({ changes }: Diffed): string[] {
  return changes
    .flatMap(({ kind, path, from }) => {
      if (kind === 'moved') return [`removed ${from}`, `added ${path}`];
      return [`${kind === 'added' || kind === 'removed' ? kind : 'changed'} ${path}`];
    })
    .sort();
}
