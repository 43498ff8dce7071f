import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { appendOnly, type Backend, openLocalBackend, withTraffic } from '../../dist/backends/index.js';
import {
  createKeySlot,
  openKeySlots,
  readSlots,
  registerSession,
  removeKeySlot,
  scrub,
} from '../../dist/repo/index.js';
import { SMALL } from './check-subject.js';
import {
  altered,
  filled,
  forgetFirst,
  type Mirror,
  mirrorTo,
  newMirror,
  objectsOf,
} from './mirror-subject.js';
import { expectClean, expectRestored, forget, objectsIn, prune, writeFiles } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

const DAY = 86_400;

function everythingIn(repo: string): Map<string, number> {
  const paths = readdirSync(repo, { recursive: true, encoding: 'utf8' });
  const files = paths.filter((path) => statSync(join(repo, path)).isFile());
  return new Map(files.map((path) => [path, statSync(join(repo, path)).mtimeMs]));
}

async function expectRefused(from: Scratch, to: string, message: RegExp): Promise<void> {
  const before = everythingIn(to);
  await expect(mirrorTo(from.repo, to)).rejects.toMatchObject({
    code: 'target',
    message: expect.stringMatching(message),
    hint: expect.stringContaining('Nothing was changed'),
  });
  expect(everythingIn(to)).toEqual(before);
}

function cutShort(repo: string, object: string, bytes = 1000): void {
  chmodSync(join(repo, object), 0o600);
  truncateSync(join(repo, object), bytes);
}

const packPath = (name: string): string => `packs/${name.slice(0, 2)}/${name}`;

describe('a mirror', () => {
  test('is the same repository, with the same passwords', async () => {
    const its = await filled({ encrypted: true });
    const facts = factsOf(its.source);
    const copy = newMirror();
    const first = await mirrorTo(its.repo, copy.repo);
    expect(first).toMatchObject({ present: 0, damaged: [], lost: [], waiting: 0, restarts: 0 });
    expect(first.copied.objects).toBe(objectsOf(its.repo).size);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    const snapshots = await copy.snapshots();
    expect(snapshots.map(({ id }) => id)).toEqual((await its.snapshots()).map(({ id }) => id));
    await expectClean(copy);
    const opening = { location: copy.repo };
    await expectRestored(its, snapshots[1]!.id, facts, opening);
    expect(
      await scrub(await openLocalBackend(copy.repo), { signal: new AbortController().signal }),
    ).toMatchObject({
      damaged: [],
      strangers: [],
    });
  });

  test('done again writes nothing where nothing is new, and only what is new', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    const before = everythingIn(copy.repo);
    const again = await mirrorTo(its.repo, copy.repo);
    expect(again.copied.objects).toBe(0);
    expect(everythingIn(copy.repo)).toEqual(before);
    writeFileSync(join(its.source, 'new'), randomContent(99, 10_000));
    await its.take({ threads: 1 });
    const traffic: ReturnType<typeof withTraffic>[] = [];
    const target = (medium: Backend): Backend => {
      traffic.push(withTraffic(medium));
      return traffic[0]!;
    };
    const { copied, present } = await mirrorTo(its.repo, copy.repo, {}, { target });
    expect(present).toBe(before.size - 1);
    // And the record of the mirror.
    expect(traffic[0]!.traffic.write.calls).toBe(copied.objects + 1);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    await expectClean(copy);
  });

  test('takes packs along that are too long for memory', async () => {
    const its = await scratchRepository({ packBytes: 32 * 2 ** 20 });
    writeFileSync(join(its.source, 'large'), randomContent(5, 9_000_000));
    await its.take();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    expect(Math.max(...[...objectsOf(its.repo).values()].map(({ length }) => length))).toBeGreaterThan(8e6);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    expect(readdirSync(join(copy.repo, 'tmp'))).toEqual([]);
  });

  test('changes nothing in a dry run, and says what it would do', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    await forgetFirst(its);
    await prune(its);
    const before = everythingIn(copy.repo);
    const planned = await mirrorTo(its.repo, copy.repo, { dryRun: true });
    expect(everythingIn(copy.repo)).toEqual(before);
    const done = await mirrorTo(its.repo, copy.repo);
    expect(planned).toMatchObject({ copied: done.copied, removed: done.removed });
    expect(done.removed.objects).toBeGreaterThan(2);
  });

  test('never has sessions and marks, and is whole while a snapshot is under way', async () => {
    const its = await filled();
    writeFileSync(join(its.repo, 'marks/7'), 'anything');
    const copy = newMirror();
    await its.use(async (repository) => {
      await registerSession(repository, repository.identity, 1);
      await mirrorTo(its.repo, copy.repo);
    });
    expect(existsSync(join(its.repo, 'sessions'))).toBe(true);
    for (const kind of ['sessions', 'marks']) expect(objectsIn(copy, kind)).toEqual([]);
  });
});

describe('what the source has removed', () => {
  test('is removed too after a while', async () => {
    const its = await filled();
    const copy = newMirror();
    const at = (days: number) => ({ keepGone: 7 * DAY, now: () => 1_800_000_000_000 + days * DAY * 1000 });
    await mirrorTo(its.repo, copy.repo, at(0));
    const packs = objectsIn(copy, 'packs');
    await forgetFirst(its);
    await prune(its);
    expect(packs.filter((name) => !objectsIn(its, 'packs').includes(name)).length).toBeGreaterThan(0);
    for (const days of [1, 7]) {
      const { waiting, removed } = await mirrorTo(its.repo, copy.repo, at(days));
      expect(waiting).toBeGreaterThan(2);
      expect(removed.objects).toBe(0);
      expect(await copy.snapshots()).toHaveLength(1);
      expect(objectsIn(copy, 'packs')).toEqual(expect.arrayContaining(packs));
      await expectClean(copy);
    }
    const last = await mirrorTo(its.repo, copy.repo, at(8.1));
    expect(last.waiting).toBe(0);
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
    await expectClean(copy);
  });

  test('a key that was removed opens the mirror no more, but the last one stays', async () => {
    const its = await filled({ encrypted: true });
    const copy = newMirror();
    const label = { label: 'second', created: 1 };
    const second = Buffer.from('another');
    await its.use(async ({ backend, config, algorithms }) => {
      const { master } = await openKeySlots(
        await readSlots(backend),
        config.repository,
        Buffer.from('secret'),
        algorithms,
      );
      await createKeySlot(backend, config.repository, master, second, label, algorithms);
    });
    await mirrorTo(its.repo, copy.repo, { keepGone: 7 * DAY });
    expect(objectsIn(copy, 'keys')).toHaveLength(2);
    await its.use(
      async ({ backend, keySlot }) => {
        const [other] = objectsIn(its, 'keys').filter((id) => id !== keySlot!.id);
        await removeKeySlot(backend, other!);
      },
      { password: async () => second },
    );
    const [removed] = objectsIn(copy, 'keys').filter((id) => !objectsIn(its, 'keys').includes(id));
    expect(await mirrorTo(its.repo, copy.repo, { keepGone: 7 * DAY })).toMatchObject({ keysLeft: [removed] });
    expect(await copy.snapshots()).toHaveLength(2);
    expect(await mirrorTo(its.repo, copy.repo, { keepGone: 0 })).toMatchObject({ keysLeft: [] });
    expect(objectsIn(copy, 'keys')).toEqual(objectsIn(its, 'keys'));
    await expect(copy.snapshots()).rejects.toMatchObject({ code: 'wrong-password' });
    expect(await copy.snapshots({ password: async () => second })).toHaveLength(2);
    const [last] = objectsIn(its, 'keys');
    rmSync(join(its.repo, 'keys', last!));
    expect(await mirrorTo(its.repo, copy.repo)).toMatchObject({ keysLeft: [last] });
    expect(objectsIn(copy, 'keys')).toEqual([last]);
  });

  test('a key that somebody has put in the place of the others does not drive them away', async () => {
    const its = await filled({ encrypted: true });
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    const [own] = objectsIn(its, 'keys');
    rmSync(join(its.repo, 'keys', own!));
    const content = Buffer.from('opens nothing');
    const forged = Buffer.concat([content, createHash('sha256').update(content).digest()]);
    writeFileSync(join(its.repo, 'keys', 'f'.repeat(32)), forged);
    expect(await mirrorTo(its.repo, copy.repo, { keepGone: 7 * DAY })).toMatchObject({ keysLeft: [own] });
    expect(await copy.snapshots()).toHaveLength(2);
  });

  test('what has come back and goes again waits anew, whatever the clock says meanwhile', async () => {
    const its = await filled();
    const copy = newMirror();
    const at = (days: number) => ({ keepGone: 7 * DAY, now: () => 1_800_000_000_000 + days * DAY * 1000 });
    await mirrorTo(its.repo, copy.repo, at(0));
    const [segment] = objectsIn(its, 'index');
    const [from, to] = [join(its.repo, 'index', segment!), join(its.root, 'aside')];
    renameSync(from, to);
    expect(await mirrorTo(its.repo, copy.repo, at(1))).toMatchObject({ waiting: 1 });
    renameSync(to, from);
    expect(await mirrorTo(its.repo, copy.repo, at(2))).toMatchObject({ waiting: 0 });
    renameSync(from, to);
    for (const days of [30, -20_000, 31]) {
      const { waiting, removed } = await mirrorTo(its.repo, copy.repo, at(days));
      expect([waiting, removed.objects]).toEqual([1, 0]);
    }
  });

  test('stays in a mirror from which nothing may be removed', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo, {}, { target: appendOnly });
    const before = [...objectsOf(copy.repo).keys()];
    await forgetFirst(its);
    await prune(its);
    const { removed, waiting } = await mirrorTo(its.repo, copy.repo, {}, { target: appendOnly });
    expect(removed.objects).toBe(0);
    expect(waiting).toBeGreaterThan(2);
    expect([...objectsOf(copy.repo).keys()]).toEqual(expect.arrayContaining(before));
    expect(await copy.snapshots()).toHaveLength(1);
    await expectClean(copy);
  });
});

describe('what the source has lost', () => {
  test('is no reason to remove anything', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    const [first, second] = await its.snapshots();
    rmSync(join(its.repo, 'snapshots', second!.id));
    await forget(its, first!.id);
    const [pack] = objectsIn(its, 'packs');
    rmSync(join(its.repo, packPath(pack!)));
    const { lost, waiting, removed } = await mirrorTo(its.repo, copy.repo);
    // No prune has closed its epoch since, so the pack was lost.
    expect(lost).toEqual([packPath(pack!), `snapshots/${second!.id}`]);
    expect(waiting).toBe(1);
    expect(removed.objects).toBe(0);
    expect((await copy.snapshots()).map(({ id }) => id)).toEqual([second!.id]);
    await expectClean(copy);
  });

  test('a damaged object is not copied, the others are, and nothing is removed for it', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    const known = objectsIn(its, 'packs');
    writeFiles(its, 'later', 7, 20, 20_000);
    await its.take({ threads: 1 });
    await forgetFirst(its);
    await prune(its);
    const fresh = objectsIn(its, 'packs').filter((name) => !known.includes(name));
    const [old] = objectsIn(its, 'packs').filter((name) => known.includes(name));
    expect(fresh.length).toBeGreaterThan(1);
    cutShort(its.repo, packPath(old!));
    cutShort(its.repo, packPath(fresh[0]!));
    const { damaged, waiting } = await mirrorTo(its.repo, copy.repo);
    expect(damaged.map(({ object }) => object).sort()).toEqual([packPath(old!), packPath(fresh[0]!)].sort());
    expect(waiting).toBeGreaterThan(1);
    const there = objectsIn(copy, 'packs');
    expect(there).toEqual([...known, ...fresh.slice(1)].sort());
    expect(statSync(join(copy.repo, packPath(old!))).size).toBeGreaterThan(1000);
    expect((await copy.snapshots()).map(({ id }) => id)).toEqual((await its.snapshots()).map(({ id }) => id));
  });

  test('one bad read is no damage', async () => {
    const its = await filled();
    const copy = newMirror();
    const misread = new Set<string>();
    const source = (medium: Backend): Backend =>
      altered(medium, {
        read: async (kind, name, ...rest) => {
          const bytes = await medium.read(kind, name, ...rest);
          if (kind !== 'config' && !misread.has(name)) bytes[0]! ^= 1;
          misread.add(name);
          return bytes;
        },
      });
    expect(await mirrorTo(its.repo, copy.repo, {}, { source })).toMatchObject({ damaged: [] });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
  });

  test('what is damaged in the mirror is sent again', async () => {
    const its = await filled();
    const copy = newMirror();
    await mirrorTo(its.repo, copy.repo);
    const [pack] = objectsIn(its, 'packs');
    const [snapshot] = objectsIn(its, 'snapshots');
    for (const object of [packPath(pack!), `snapshots/${snapshot}`]) cutShort(copy.repo, object, 40);
    expect(await mirrorTo(its.repo, copy.repo)).toMatchObject({ copied: { objects: 2 }, damaged: [] });
    expect(objectsOf(copy.repo)).toEqual(objectsOf(its.repo));
  });
});

describe('a target is refused, and nothing is changed in it,', () => {
  let original: Scratch;
  beforeAll(async () => {
    original = new Scratch();
    await original.init(SMALL);
    writeFiles(original, 'steady', 1, 8, 20_000);
    await original.take({ threads: 1 });
    return () => original.remove();
  });

  async function mirrored(): Promise<Mirror> {
    const copy = newMirror();
    writeFiles(copy, 'steady', 1, 8, 20_000);
    await mirrorTo(original.repo, copy.repo);
    return copy;
  }

  test('when it is another repository', async () => {
    const other = await scratchRepository();
    await expectRefused(original, other.repo, /holds another repository/);
  });

  test('when it is one that no mirror made', async () => {
    const copy = newMirror(original.repo);
    await expectRefused(original, copy.repo, /no mirror has made/);
  });

  test('when a snapshot was taken there by mistake', async () => {
    const copy = await mirrored();
    const { summary } = await copy.take({ threads: 1 });
    await expectRefused(
      original,
      copy.repo,
      new RegExp(`something else than the mirror: .*${summary.snapshot}`),
    );
  });

  test('when a snapshot was stopped there, or is running', async () => {
    const copy = await mirrored();
    await copy.use(async (repository) => {
      await registerSession(repository, repository.identity, 1);
    });
    await expectRefused(original, copy.repo, /something else than the mirror: sessions\//);
  });

  test('when it was pruned, or something was forgotten or noted there', async () => {
    const copy = await mirrored();
    await prune(copy);
    // The source comes to have records of the same names.
    await prune(original);
    await expectRefused(original, copy.repo, /leases\/prune\/[12]/);
    const second = await mirrored();
    const [snapshot] = await second.snapshots();
    await forget(second, snapshot!.id);
    await expectRefused(original, second.repo, /forgotten\//);
  });

  test('when something lies in its place already', async () => {
    const copy = newMirror();
    mkdirSync(copy.repo);
    writeFileSync(join(copy.repo, 'letter'), 'of somebody');
    await expect(mirrorTo(original.repo, copy.repo)).rejects.toMatchObject({ code: 'not-a-repository' });
  });
});
