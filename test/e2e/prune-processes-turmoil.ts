import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chunkReader, loadRepository, readSegment } from '../../dist/repo/index.js';
import { listSnapshots, walkReachable } from '../../dist/snapshot/index.js';
import type { Ended } from '../cli/child.js';
import type { Facts } from '../snapshot/tree-facts.js';
import { type JsonLine, type Program, signalWhen } from './program.js';

/** Commands that run beside each other on one repository, some of which are killed. */

/** So many of the commands that may die are chosen for it. */
const KILLED_PART = 0.25;
/** What a command may take before one of its kind has been measured. */
const FIRST_GUESS_MS = 1500;
/** Folders of the repository in which a change is a moment worth dying at. */
const WATCHED = ['tmp', 'index', 'snapshots', 'forgotten', 'sessions', 'marks', 'leases'] as const;
const MOST_AFTER_MS = 30;

export interface Turn {
  /** A folder of its own: each actor is a machine's user of its own. */
  readonly cache: string;
  readonly mayDie: boolean;
  /** Exit codes that are no surprise. */
  readonly allowed: readonly number[];
}

export interface Answer {
  /** Undefined when the command was killed, or did what it must not. */
  readonly summary: JsonLine | undefined;
  readonly code: number | undefined;
  /** All that was printed. */
  readonly lines: readonly JsonLine[];
}

export class Turmoil {
  /** What each snapshot has to give back, by its tag: noted before the command begins that takes it. */
  readonly taken = new Map<string, { readonly facts: Facts; readonly source: string }>();
  /** Commands that ended as they must not. The first one ends the turmoil. */
  readonly unexpected: unknown[] = [];
  /** Answers by name of the command (killed ones as `killed`), and of prunes by state. */
  readonly counts = new Map<string, number>();
  private readonly usualMs = new Map<string, number>();

  constructor(readonly its: Program) {}

  count(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  add(what: string): void {
    this.counts.set(what, this.count(what) + 1);
  }

  /** Runs a command with `--json` to its end, or to its death if it is chosen. */
  async run(args: readonly string[], { cache, mayDie, allowed }: Turn): Promise<Answer> {
    const name = args[0]!;
    const isChosen = mayDie && Math.random() < KILLED_PART;
    const started = performance.now();
    const isTime = isChosen ? this.someMoment(name) : undefined;
    const during = isTime === undefined ? {} : { during: signalWhen(isTime, 'SIGKILL') };
    const ended = await this.its.run([...args, '--json', '--cache-dir', cache], during);
    if (isChosen && ended.signal === 'SIGKILL') {
      this.add('killed');
      this.add(`${name} killed`);
      return { summary: undefined, code: undefined, lines: [] };
    }
    this.usualMs.set(name, performance.now() - started);
    this.add(name);
    const { code } = ended;
    if (code === null || !allowed.includes(code)) {
      this.unexpected.push({ args, ...ended });
      return { summary: undefined, code: undefined, lines: [] };
    }
    const lines = linesOf(ended);
    return { summary: lines.at(-1), code, lines };
  }

  /** Any time at all, or shortly after something changed in the repository. */
  private someMoment(name: string): () => boolean {
    const started = performance.now();
    const watched = WATCHED[Math.floor(Math.random() * 2 * WATCHED.length)];
    if (watched === undefined) {
      const deadline = started + Math.random() * (this.usualMs.get(name) ?? FIRST_GUESS_MS);
      return () => performance.now() > deadline;
    }
    const folder = join(this.its.repo, watched);
    const changed = (): bigint => statSync(folder, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n;
    const before = changed();
    const after = Math.random() * MOST_AFTER_MS;
    let seen: number | undefined;
    return () => {
      if (seen === undefined && changed() !== before) seen = performance.now();
      return seen !== undefined && performance.now() >= seen + after;
    };
  }
}

function linesOf({ stdout }: Ended): JsonLine[] {
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as JsonLine);
}

/** Names of the objects of a kind that are there now. */
export function namesIn(its: Program, kind: string): string[] {
  const found = readdirSync(join(its.repo, kind), { withFileTypes: true, recursive: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(its.repo.length + 1));
}

/** Ids, raw, of the chunks that index segments name and no snapshot reaches. */
export function unreached(its: Program): Promise<string[]> {
  return its.use(async (repository) => {
    const loaded = await loadRepository(repository);
    const reader = chunkReader(repository, loaded);
    const reached = new Set<string>();
    const { snapshots } = await listSnapshots(repository);
    for (const { root } of snapshots) {
      await walkReachable(root, {
        see: (_, { id }) => !reached.has(id) && reached.add(id) !== undefined,
        read: ({ id, length }) => reader.read('tree', id, length),
      });
    }
    const named: string[] = [];
    for (const name of loaded.view.segments.keys()) {
      const { ids, count } = (await readSegment(repository, name, []))!.chunks;
      for (let row = 0; row < count; row++) named.push(ids.toString('latin1', 32 * row, 32 * (row + 1)));
    }
    return named.filter((id) => !reached.has(id));
  });
}
