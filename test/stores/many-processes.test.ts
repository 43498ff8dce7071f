import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Ended } from '../cli/child.js';
import { randomNumbers } from '../servers/proxy-faults.mjs';
import { randomContent } from '../snapshot/random-content.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { type Facts, factsOf } from '../snapshot/tree-facts.js';
import { gateway, prefixes, useOwner } from './s3-subject.js';
import { type StoreProgram, storeProgram } from './store-program.js';

const MACHINES = 8;
/** Those of them that are killed once, when they have sent some of what they have to send. */
const KILLED = new Set([2, 5]);
const ROUNDS = isSoak ? 12 : 2;
const SMALL = ['--no-encryption', '--chunk-size', '16KiB', '--block-size', '64KiB', '--pack-size', '256KiB'];

const locationOf = prefixes(gateway);

/** One of those that write: a folder and a cache of its own, and what it has been told. */
class Machine {
  readonly kept = new Map<string, Facts>();
  readonly unexpected: Ended[] = [];
  killed = 0;
  readonly source: string;
  private readonly draw: () => number;

  constructor(
    private readonly its: StoreProgram,
    private readonly number: number,
  ) {
    this.source = join(its.source, `of ${number}`);
    this.draw = randomNumbers(number + 1);
    mkdirSync(this.source, { recursive: true });
  }

  /** Rounds of a snapshot each, the last of which is never killed; all but the newest are forgotten again now and then. */
  async run(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      this.change();
      await this.snapshot(KILLED.has(this.number) && round % 2 === 0);
    }
    await this.snapshot(false);
    const [oldest] = this.kept.keys();
    if (oldest === undefined || this.kept.size < 2) return;
    if (await this.command(['forget', oldest])) this.kept.delete(oldest);
  }

  private async snapshot(isKilled: boolean): Promise<void> {
    const facts = factsOf(this.source);
    const ended = await this.its.run(['snapshot', this.source, '--json', '--no-progress'], {
      env: this.env(),
      // Long enough to have begun.
      during: (child) => isKilled && setTimeout(() => child.kill('SIGKILL'), 1200 + 1500 * this.draw()),
    });
    if (isKilled && ended.signal === 'SIGKILL') {
      this.killed++;
      return;
    }
    if (ended.code !== 0) this.unexpected.push(ended);
    else this.kept.set(JSON.parse(ended.stdout.trimEnd().split('\n').at(-1)!).snapshot, facts);
  }

  private async command(args: readonly string[]): Promise<boolean> {
    const ended = await this.its.run(args, { env: this.env() });
    if (ended.code !== 0) this.unexpected.push(ended);
    return ended.code === 0;
  }

  private env(): Record<string, string> {
    return { CBR_CACHE_DIR: join(this.its.root, `cache of ${this.number}`) };
  }

  /** The machines have much in common, so that each relies on what others stored. */
  private change(): void {
    for (let i = 0; i < 30; i++) {
      const content = Math.floor(this.draw() * 60);
      writeFileSync(join(this.source, `file ${i}`), randomContent(content, 5_000 + 1_000 * content));
    }
  }
}

test('eight machines snapshot into one bucket while a ninth prunes, two are killed: all that was committed restores', {
  timeout: 3_600_000,
}, async () => {
  useOwner(gateway);
  const its = storeProgram(await locationOf('many'));
  await its.succeed(['init', ...SMALL]);
  const machines = Array.from({ length: MACHINES }, (_, i) => new Machine(its, i));
  let isOver = false;
  const prunes: Ended[] = [];
  const pruner = async (): Promise<void> => {
    while (!isOver) {
      const env = { CBR_CACHE_DIR: join(its.root, 'cache of the pruner') };
      prunes.push(await its.run(['prune', '--max-unused', '0'], { env }));
    }
  };
  const pruning = pruner();
  await Promise.all(machines.map((machine) => machine.run()));
  isOver = true;
  await pruning;

  expect(machines.flatMap(({ unexpected }) => unexpected)).toEqual([]);
  expect(prunes.filter(({ code }) => code !== 0)).toEqual([]);
  expect(prunes.length).toBeGreaterThan(1);
  expect(machines.reduce((sum, { killed }) => sum + killed, 0)).toBeGreaterThanOrEqual(KILLED.size);

  const env = { CBR_CACHE_DIR: join(its.root, 'another cache') };
  await its.succeed(['check', '--read-data'], { env });
  await its.succeed(['prune', '--max-unused', '0'], { env });
  const { findings } = await its.check(100, await its.opening({ cacheRoot: its.newCache() }));
  expect(findings).toEqual([]);
  for (const machine of machines) {
    for (const [id, facts] of machine.kept) {
      const { target, problems } = await its.restore(id, { path: machine.source }, await its.opening());
      expect(problems).toEqual([]);
      expect(factsOf(target)).toEqual(facts);
      rmSync(target, { recursive: true });
    }
  }
});
