import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultPlan } from '../../dist/backends/index.js';
import { localFailure } from '../../dist/backends/local-errors.js';
import { forgetSnapshots } from '../../dist/snapshot/index.js';
import { probeAbilities } from './abilities.js';
import { SMALL } from './check-subject.js';
import { QUICK } from './places.js';
import { Prunable, recordCalls } from './prune-faults.js';
import {
  accountOf,
  expectClean,
  expectRestored,
  forget,
  objectsIn,
  prune,
  writeFiles,
} from './prune-subject.js';
import { randomContent } from './random-content.js';
import { isSoak, Scratch } from './scratch-repository.js';
import { type Facts, factsOf } from './tree-facts.js';

/** As the system says it, and as the local backend passes it on. */
const noSpace = (): Error => {
  const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  return localFailure('cannot write an object', error) as Error;
};

describe('no space is left at a write of a prune', () => {
  let original: Prunable;
  let writes: readonly { readonly number: number; readonly kind: string }[];
  beforeAll(async () => {
    original = await Prunable.make();
    const calls = await recordCalls(original, (its, plan) => its.pruneFailing(plan));
    writes = calls.filter(({ operation }) => operation === 'write');
  });
  afterAll(() => original.remove());

  async function recover(its: Prunable, isThorough: boolean): Promise<void> {
    expect(accountOf(its).snapshots).toHaveLength(original.kept.size);
    await its.expectRecovery({}, isThorough);
  }

  test('and at all that follow: it says so, nothing is lost, and the next one finishes', {
    timeout: 900_000,
  }, async () => {
    expect(new Set(writes.map(({ kind }) => kind))).toEqual(
      new Set(['leases', 'packs', 'index', 'marks', 'snapshots']),
    );
    for (const { number } of writes) {
      const its = original.copy();
      const full: FaultPlan = (call) =>
        call.number >= number && call.operation === 'write'
          ? { when: 'before', error: noSpace() }
          : undefined;
      await expect(its.pruneFailing(full), `write ${number}`).rejects.toThrow(/ENOSPC/);
      expect(objectsIn(its, 'packs').length).toBeGreaterThanOrEqual(objectsIn(original, 'packs').length);
      await recover(its, isSoak);
      its.remove();
    }
  });

  test('for a moment: copies are done without, and what nothing uses goes all the same', {
    timeout: 900_000,
  }, async () => {
    for (const [i, { number, kind }] of writes.entries()) {
      // Packs are what may be done without; of all else every third will do.
      if (!isSoak && kind !== 'packs' && i % 3 > 0) continue;
      const its = original.copy();
      const full: FaultPlan = (call) =>
        call.number === number ? { when: 'before', error: noSpace() } : undefined;
      const pruning = its.pruneFailing(full);
      if (kind === 'packs') {
        expect(accountOf(original).idle).not.toEqual([]);
        expect((await pruning).state, `write ${number}`).toBe('swept');
        const after = accountOf(its);
        expect(after.snapshots).toHaveLength(original.kept.size);
        expect(after.idle).toEqual([]);
        expect(its.reports.join()).toMatch(/should have gone|not rewritten/);
      } else
        await pruning.catch((error: Error) => expect(error.message, `write ${number}`).toContain('ENOSPC'));
      await recover(its, isSoak);
      its.remove();
    }
  });
});

const RESERVE = 2 ** 20;

/** A repository on a file system of its own of so many bytes; its source and cache lie elsewhere. */
class SmallDisk extends Scratch {
  readonly disk = join(this.root, 'disk');
  override readonly repo = join(this.disk, 'repo');

  constructor(bytes: number) {
    super();
    mkdirSync(this.disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', this.disk]);
  }

  get free(): number {
    const { bavail, bsize } = statfsSync(this.disk);
    return bavail * bsize;
  }

  /** Takes all room but so much. */
  fill(leaving = 0): void {
    const path = join(this.disk, 'filler');
    try {
      writeFileSync(path, Buffer.alloc(Math.max(0, this.free - leaving)), { flag: 'a' });
    } catch {
      // Rounded to pages, it was a little more than there is.
    }
  }

  /** Takes all room, to the last page. */
  fillWholly(): void {
    this.fill();
    for (let i = 0; ; i++) {
      try {
        writeFileSync(join(this.disk, `filler ${i}`), 'a page');
      } catch {
        return;
      }
    }
  }

  override remove(): void {
    execFileSync('umount', ['-l', this.disk]);
    super.remove();
  }
}

const canMount = probeAbilities(QUICK).mounts;
if (!canMount)
  process.stderr.write(
    'Prune on a full disk: this machine does not allow mounts, so no disk is really full.\n',
  );

describe.runIf(canMount)('on a disk that is full', () => {
  let its: SmallDisk;
  let kept: string;
  let facts: Facts;
  let lost: string;

  async function fillUp(): Promise<void> {
    its = new SmallDisk(24 * 2 ** 20);
    await its.init(SMALL);
    writeFiles(its, 'kept', 1, 60, 20_000);
    writeFiles(its, 'passing', 2, 40, 20_000);
    kept = (await its.take({ threads: 1 })).summary.snapshot!;
    facts = factsOf(its.source);
    rmSync(join(its.source, 'passing'), { recursive: true });
    writeFileSync(join(its.source, 'large'), randomContent(5, 4_000_000));
    lost = (await its.take({ threads: 1 })).summary.snapshot!;
    await forget(its, lost);
  }

  async function expectGood(): Promise<void> {
    await expectRestored(its, kept, facts);
    await expectClean(its);
    expect(statSync(join(its.repo, 'reserve')).size).toBe(RESERVE);
  }

  test('a prune frees room by its reserve, which is there again afterwards', async () => {
    await fillUp();
    try {
      expect(statSync(join(its.repo, 'reserve')).size).toBe(RESERVE);
      its.fill();
      expect(its.free).toBeLessThan(8192);
      expect((await prune(its)).state).toBe('swept');
      expect(its.free).toBeGreaterThan(3_500_000);
      await expectGood();
      expect((await prune(its)).state).toBe('swept');
      expect(accountOf(its)).toMatchObject({ strays: [], unused: 0 });
      await expectGood();
    } finally {
      its.remove();
    }
  });

  test('snapshots are forgotten by its reserve, and then a prune makes it again', async () => {
    await fillUp();
    try {
      its.fillWholly();
      const options = { by: 'tester', nowSeconds: 1, signal: new AbortController().signal };
      const forgotten = await its.use((repository) => forgetSnapshots(repository, [kept as never], options));
      expect(forgotten).toEqual([kept]);
      expect((await prune(its)).state).toBe('swept');
      expect(accountOf(its)).toMatchObject({ snapshots: [], strays: [], unused: 0, stored: 0 });
      expect(statSync(join(its.repo, 'reserve')).size).toBe(RESERVE);
    } finally {
      its.remove();
    }
  });

  test('a prune that cannot go on says how much room it needs', async () => {
    const disk = new SmallDisk(24 * 2 ** 20);
    try {
      await disk.init({ ...SMALL, packBytes: 4 * 2 ** 20 });
      writeFiles(disk, 'kept', 1, 100, 20_000);
      writeFiles(disk, 'passing', 2, 50, 20_000);
      const lost = (await disk.take({ threads: 1 })).summary.snapshot!;
      rmSync(join(disk.source, 'passing'), { recursive: true });
      await disk.take({ threads: 1 });
      await forget(disk, lost);
      const before = objectsIn(disk, 'packs');
      disk.fill();
      // Trees and what nothing uses go; then nothing does.
      for (let round = 0; round < 2; round++) expect((await prune(disk)).state).toBe('swept');
      expect(disk.reports.join()).toMatch(/Nothing else can go: make room for [4-6] MiB at least/);
      rmSync(join(disk.disk, 'filler'));
      await prune(disk);
      expect(objectsIn(disk, 'packs')).not.toEqual(before);
      expect(accountOf(disk)).toMatchObject({ strays: [], unused: 0 });
    } finally {
      disk.remove();
    }
  });

  test.each([0, 100_000, 400_000, 1_500_000])(
    'with %i bytes left, whatever has to be rewritten: what nothing uses goes',
    async (leaving) => {
      await fillUp();
      try {
        // Half of what the kept snapshot holds is needed no more.
        writeFiles(its, 'passing', 3, 1, 20_000);
        rmSync(join(its.source, 'large'));
        const second = (await its.take({ threads: 1 })).summary.snapshot!;
        await forget(its, kept);
        [kept, facts] = [second, factsOf(its.source)];
        its.fill(leaving);
        const before = its.free;
        expect((await prune(its)).state).toBe('swept');
        expect(its.free).toBeGreaterThan(before + 3_500_000);
        await expectGood();
        for (let round = 0; round < 3; round++) await prune(its);
        expect(accountOf(its)).toMatchObject({ strays: [], unused: 0 });
        await expectGood();
      } finally {
        its.remove();
      }
    },
  );

  test('a repository without a reserve gets one from its first prune', async () => {
    await fillUp();
    try {
      rmSync(join(its.repo, 'reserve'));
      await prune(its);
      await expectGood();
      // Without one and without room it is no worse off than before.
      rmSync(join(its.repo, 'reserve'));
      its.fill();
      await prune(its).catch((error: Error) => expect(error.message).toContain('ENOSPC'));
      expect(existsSync(join(its.repo, 'reserve.new'))).toBe(false);
      rmSync(join(its.disk, 'filler'));
      await prune(its);
      await expectGood();
    } finally {
      its.remove();
    }
  });
});
