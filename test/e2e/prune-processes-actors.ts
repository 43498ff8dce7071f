import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomContent } from '../snapshot/random-content.js';
import { type Facts, factsOf } from '../snapshot/tree-facts.js';
import type { Turmoil, Turn } from './prune-processes-turmoil.js';

/** Who does what in the turmoil. */

const FOLDERS = 6;
const FILES = 48;
/** Contents are drawn from so many, by all writers: what one has forgotten another takes in again. */
const CONTENTS = 300;
const MOST_KEPT = 6;
/** In each source, and rewritten out of some snapshots: nobody looks for it. */
const LEAK = 'leak';

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

/** All but what a rewrite may have left out. */
export function lastingFacts(folder: string): Facts {
  return Object.fromEntries(Object.entries(factsOf(folder)).filter(([path]) => !path.endsWith(`/${LEAK}`)));
}

/** A machine that takes snapshots of a folder of its own, forgets some, and looks at what it has. */
export class Writer {
  readonly source: string;
  /** Snapshots whose command said that they were taken, and that nobody was told to forget: id -> tag. */
  readonly kept = new Map<string, string>();
  /** Those whose command said that they were forgotten. */
  readonly forgotten = new Set<string>();
  private readonly cache: string;
  private turns = 0;

  constructor(
    private readonly turmoil: Turmoil,
    private readonly number: number,
  ) {
    this.source = join(turmoil.its.source, `of ${number}`);
    this.cache = join(turmoil.its.root, `cache-${number}`);
    for (let folder = 0; folder < FOLDERS; folder++)
      mkdirSync(join(this.source, `folder ${folder}`), { recursive: true });
    writeFileSync(join(this.source, 'folder 0', LEAK), `of ${number}`);
    this.change(2 * FILES);
  }

  /** One day: a snapshot, and now and then what else is to be done. */
  async day(): Promise<void> {
    this.change(below(FILES / 2));
    await this.snapshot({ mayDie: true });
    const what = below(7);
    if (this.kept.size > MOST_KEPT) await this.forgetByPolicy();
    else if (what === 0) await this.forgetSome();
    else if (what === 1) await this.restoreOne();
    else if (what === 2) await this.checkAll();
    else if (what === 3) await prune(this.turmoil, this.turn([0, 11]), []);
    else if (what === 4) await this.forgetByPolicy('--prune');
    else if (what === 5) await this.rewriteOne();
  }

  async snapshot({ mayDie }: Pick<Turn, 'mayDie'>): Promise<void> {
    const tag = `${this.number}-${++this.turns}`;
    this.turmoil.taken.set(tag, { facts: lastingFacts(this.source), source: this.source });
    const args = ['snapshot', this.source, '--tag', tag];
    const { summary } = await this.turmoil.run(args, { ...this.turn([0]), mayDie });
    if (summary !== undefined) this.kept.set(summary.snapshot as string, tag);
  }

  private turn(allowed: readonly number[]): Turn {
    return { cache: this.cache, mayDie: true, allowed };
  }

  private change(files: number): void {
    for (let i = 0; i < files; i++) {
      const file = join(this.source, `folder ${below(FOLDERS)}`, `file ${below(FILES / FOLDERS)}`);
      const content = below(CONTENTS);
      if (content % 10 === 0) rmSync(file, { force: true });
      else writeFileSync(file, randomContent(content, 500 + 150 * content));
    }
  }

  private async forgetSome(): Promise<void> {
    const ids = [...this.kept.keys()].slice(0, -1).filter(() => below(2) === 0);
    if (ids.length === 0) return;
    await this.forget(ids, ids);
  }

  /** Where a prune follows, it may find another one at work. */
  private async forgetByPolicy(...flags: readonly '--prune'[]): Promise<void> {
    const all = [...this.kept.keys()];
    const policy = ['--keep-last', String(1 + below(3)), '--path', this.source];
    await this.forget([...policy, ...flags], all, flags.length > 0 ? [0, 11] : [0]);
  }

  /** Whether those are still there that a forget was to look at when it died or was stopped, nobody knows. */
  private async forget(
    what: readonly string[],
    affected: readonly string[],
    allowed: readonly number[] = [0],
  ): Promise<void> {
    const { summary, code } = await this.turmoil.run(['forget', ...what], this.turn(allowed));
    if (summary === undefined || code !== 0) {
      for (const id of affected) this.kept.delete(id);
      return;
    }
    for (const { id } of summary.forget as { id: string }[]) {
      this.kept.delete(id);
      this.forgotten.add(id);
    }
  }

  /** What it becomes has its tag; whether the old one is still there when it died, nobody knows. */
  private async rewriteOne(): Promise<void> {
    const [id, tag] = [...this.kept][below(this.kept.size)] ?? [];
    if (id === undefined) return;
    const { summary, lines } = await this.turmoil.run(
      ['rewrite', id, '--exclude', LEAK, '--forget'],
      this.turn([0]),
    );
    const result = lines.find(({ type }) => type === 'item');
    if (summary !== undefined && result?.state === 'unchanged') return;
    this.kept.delete(id);
    if (summary === undefined) return;
    this.kept.set(result!.snapshot as string, tag!);
    this.forgotten.add(id);
  }

  /** Busy: prunes kept moving what it looked for. */
  private async checkAll(): Promise<void> {
    const { code } = await this.turmoil.run(['check'], this.turn([0, 11]));
    if (code === 11) this.turmoil.add('check busy');
  }

  private async restoreOne(): Promise<void> {
    const [id, tag] = [...this.kept][below(this.kept.size)] ?? [];
    if (id === undefined) return;
    const target = this.turmoil.its.newTarget();
    const args = ['restore', `${id}:${this.source}`, '--target', target];
    const { summary } = await this.turmoil.run(args, this.turn([0]));
    if (summary !== undefined) {
      const expected = JSON.stringify(this.turmoil.taken.get(tag!)!.facts);
      if (JSON.stringify(lastingFacts(target)) !== expected) {
        this.turmoil.unexpected.push({ args, reason: 'other files than were taken' });
      }
    }
    rmSync(target, { recursive: true, force: true });
  }
}

async function prune(turmoil: Turmoil, turn: Turn, flags: readonly string[]): Promise<void> {
  const { summary, code } = await turmoil.run(['prune', ...flags], turn);
  if (summary !== undefined) turmoil.add(code === 0 ? `prune ${summary.state as string}` : 'prune busy');
}

/** So much has to happen, however slow the machine is. */
const LEAST = {
  snapshot: 20,
  forget: 8,
  rewrite: 3,
  killed: 12,
  'snapshot killed': 3,
  'prune killed': 3,
  'prune swept': 5,
};

/** All at the same time, for that long at least; until the first one does what it must not. */
export async function goThroughDays(
  turmoil: Turmoil,
  writers: readonly Writer[],
  milliseconds: number,
): Promise<void> {
  const end = performance.now() + milliseconds;
  const goesOn = (): boolean =>
    turmoil.unexpected.length === 0 &&
    (performance.now() < end || Object.entries(LEAST).some(([what, least]) => turmoil.count(what) < least));
  const cache = join(turmoil.its.root, 'cache-of-the-pruner');
  const pruner = async (): Promise<void> => {
    for (let run = 0; goesOn(); run++) {
      const unused = ['0', '5%', '50%'][run % 3]!;
      // Who waits is never told to come again.
      const turn = { cache, mayDie: true, allowed: run % 2 === 0 ? [0, 11] : [0] };
      await prune(turmoil, turn, ['--max-unused', unused, ...(run % 2 === 0 ? [] : ['--wait'])]);
    }
  };
  const writer = async (its: Writer): Promise<void> => {
    while (goesOn()) await its.day();
  };
  await Promise.all([pruner(), ...writers.map(writer)]);
}
