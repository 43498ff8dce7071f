import { describe, expect, test } from 'vitest';
import { type Backend, MemoryBackend, type ObjectKind, withFaults } from '../../dist/backends/index.js';
import { CbrError, type ObjectDigest, type SessionId } from '../../dist/core/index.js';
import {
  type Author,
  createRecord,
  type LeaseRecord,
  leaseRecord,
  markRecord,
  type OutcomeRecord,
  outcomeRecord,
  type RecordMemory,
  type RepositoryView,
  readView,
  segmentCounts,
  unnamedSnapshots,
  validSnapshots,
} from '../../dist/repo/index.js';
import { plainKeys, randomDigest, randomSession, recordContext } from './parts.js';

const its = recordContext(plainKeys);
const forgetful: RecordMemory = { get: () => undefined, put: () => undefined };
const raw = (name: string): Buffer => Buffer.from(name, 'hex');

function commit(segments: readonly ObjectDigest[] = [], seen: readonly SessionId[] = []): OutcomeRecord {
  return { outcome: 'commit', segments: segments.map(raw), seen: seen.map(raw) };
}

function fence(...segments: ObjectDigest[]): OutcomeRecord {
  return { outcome: 'fence', segments: segments.map(raw), seen: [] };
}

async function putOutcome(backend: Backend, id: SessionId, outcome: OutcomeRecord): Promise<void> {
  await createRecord(backend, 'snapshots', id, outcomeRecord, outcome, its);
}

async function putLease(
  backend: Backend,
  number: number,
  role: LeaseRecord['role'],
  ...segments: ObjectDigest[]
) {
  await createRecord(
    backend,
    'leases',
    `prune/${number}`,
    leaseRecord,
    { role, segments: segments.map(raw) },
    its,
  );
}

async function putForgotten(backend: Backend, id: SessionId): Promise<void> {
  await backend.write('forgotten', id, Buffer.from('its name alone decides'));
}

/** A view of what `fill` puts into an empty repository. */
async function viewOf(fill: (backend: Backend) => Promise<unknown>): Promise<RepositoryView> {
  const backend = new MemoryBackend();
  await fill(backend);
  return readView(backend, its, forgetful);
}

/** Rules 5 to 7 of docs/protocol.md: what the repository holds for a session, and what follows. */
describe('what a session wrote counts', () => {
  const listed = randomDigest();
  const unlisted = randomDigest();
  const table: readonly {
    readonly holds: string;
    readonly outcome?: OutcomeRecord;
    readonly forgotten?: true;
    readonly damaged?: true;
    readonly counts: readonly [listed: boolean, unlisted: boolean];
    readonly valid: boolean;
  }[] = [
    { holds: 'nothing', counts: [false, false], valid: false },
    { holds: 'a commit', outcome: commit([listed]), counts: [true, true], valid: true },
    { holds: 'a fence', outcome: fence(listed), counts: [true, false], valid: false },
    { holds: 'an empty fence', outcome: fence(), counts: [false, false], valid: false },
    { holds: 'forgotten alone', forgotten: true, counts: [true, true], valid: false },
    {
      holds: 'a commit and forgotten',
      outcome: commit(),
      forgotten: true,
      counts: [true, true],
      valid: false,
    },
    { holds: 'a fence and forgotten', outcome: fence(), forgotten: true, counts: [true, true], valid: false },
    { holds: 'a damaged outcome', damaged: true, counts: [false, false], valid: false },
    {
      holds: 'a damaged outcome and forgotten',
      damaged: true,
      forgotten: true,
      counts: [true, true],
      valid: false,
    },
  ];
  test.each(table)('with $holds', async ({ outcome, forgotten, damaged, counts, valid }) => {
    const sid = randomSession();
    const view = await viewOf(async (backend) => {
      if (outcome !== undefined) await putOutcome(backend, sid, outcome);
      if (damaged) await backend.write('snapshots', sid, Buffer.alloc(200, 1));
      if (forgotten) await putForgotten(backend, sid);
    });
    const author: Author = { kind: 'session', session: sid };
    expect([segmentCounts(listed, author, view), segmentCounts(unlisted, author, view)]).toEqual(counts);
    expect(validSnapshots(view).has(sid)).toBe(valid);
    expect(view.outcomes.get(sid) instanceof CbrError).toBe(damaged === true);
    const other: Author = { kind: 'session', session: randomSession() };
    expect(segmentCounts(listed, other, view)).toBe(false);
  });
});

describe('what a prune wrote counts', () => {
  const listed = randomDigest();
  const unlisted = randomDigest();
  const author: Author = { kind: 'prune', epoch: 4 };
  const table: readonly (readonly [string, (backend: Backend) => Promise<unknown>, boolean])[] = [
    ['while it holds the epoch itself', (backend) => putLease(backend, 4, 'holder', listed), false],
    ['once it has closed the epoch', (backend) => putLease(backend, 5, 'closing', listed), true],
    ['once another one has taken over', (backend) => putLease(backend, 5, 'holder', listed), true],
    ['when a later record lists it', (backend) => putLease(backend, 6, 'closing', listed), false],
    ['when nothing does', async () => undefined, false],
  ];
  test.each(table)('%s', async (_, fill, counts) => {
    const view = await viewOf(fill);
    expect(segmentCounts(listed, author, view)).toBe(counts);
    expect(segmentCounts(unlisted, author, view)).toBe(false);
  });

  test('heartbeats of a prune are no lease records', async () => {
    const view = await viewOf((backend) =>
      createRecord(
        backend,
        'leases',
        'prune-alive/5.1',
        leaseRecord,
        { role: 'holder', segments: [raw(listed)] },
        its,
      ),
    );
    expect(view.leases.size).toBe(0);
    expect(segmentCounts(listed, author, view)).toBe(false);
  });
});

describe('a view', () => {
  test('is read in the order of rule 8: snapshots, forgotten, marks, index, leases', async () => {
    const order: ObjectKind[] = [];
    const backend = withFaults(new MemoryBackend(), ({ operation, kind }) => {
      if (operation === 'list') order.push(kind);
      return undefined;
    });
    await readView(backend, its, forgetful);
    expect(order).toEqual(['snapshots', 'forgotten', 'marks', 'index', 'leases']);
  });

  test('gathers condemned packs, and names marks that cannot be read', async () => {
    const [one, two, three] = [randomDigest(), randomDigest(), randomDigest()];
    const view = await viewOf(async (backend) => {
      await createRecord(backend, 'marks', '1', markRecord, { packs: [one, two].map(raw) }, its);
      await createRecord(backend, 'marks', '2', markRecord, { packs: [two, three].map(raw) }, its);
      await backend.write('marks', '3', Buffer.from('torn'));
    });
    expect([...view.condemned].sort()).toEqual([one, two, three].sort());
    expect(view.unreadableMarks).toEqual([expect.objectContaining({ code: 'damaged', object: 'marks/3' })]);
  });

  test('takes a record that moved to another name for damage', async () => {
    const [one, two] = [randomSession(), randomSession()];
    const view = await viewOf(async (backend) => {
      await putOutcome(backend, one, commit());
      await backend.write('snapshots', two, await backend.read('snapshots', one));
    });
    expect([...validSnapshots(view).keys()]).toEqual([one]);
    expect(view.outcomes.get(two)).toMatchObject({ code: 'damaged', object: `snapshots/${two}` });
  });

  test('bears with a snapshot that is removed while it is read', async () => {
    const sid = randomSession();
    const memory = new MemoryBackend();
    await putOutcome(memory, sid, commit());
    const racing = withFaults(memory, ({ operation, kind }) => {
      if (operation === 'read' && kind === 'snapshots') void memory.remove('snapshots', sid);
      return undefined;
    });
    expect((await readView(racing, its, forgetful)).outcomes.size).toBe(0);
  });

  test('reads records it remembers from memory, and others once', async () => {
    const [one, two] = [randomSession(), randomSession()];
    const memory = new MemoryBackend();
    await putOutcome(memory, one, commit());
    await putOutcome(memory, two, fence());
    const kept = new Map<string, Uint8Array>();
    const remembering: RecordMemory = {
      get: (kind, name) => kept.get(`${kind}/${name}`),
      put: (kind, name, stored) => void kept.set(`${kind}/${name}`, stored),
    };
    const reads: string[] = [];
    const backend = withFaults(memory, ({ operation, names }) => {
      if (operation === 'read') reads.push(...names);
      return undefined;
    });
    const first = await readView(backend, its, remembering);
    expect(reads.sort()).toEqual([one, two].sort());
    expect(first.remembered).toEqual(new Set());
    const again = await readView(backend, its, remembering);
    expect(again).toEqual({ ...first, remembered: new Set([one, two]) });
    expect(reads.length).toBe(2);
  });

  test('rejects when the medium fails, instead of showing less than there is', async () => {
    const failing = withFaults(new MemoryBackend(), ({ kind }) =>
      kind === 'marks' ? { when: 'before' } : undefined,
    );
    await expect(readView(failing, its, forgetful)).rejects.toMatchObject({ code: 'backend' });
  });
});

test('a new snapshot names those that no other one names', async () => {
  const [a, b, c, d] = [randomSession(), randomSession(), randomSession(), randomSession()];
  const view = await viewOf(async (backend) => {
    await putOutcome(backend, a, commit());
    await putOutcome(backend, b, commit([], [a]));
    await putOutcome(backend, c, commit());
    await putForgotten(backend, c);
    await putOutcome(backend, d, fence());
  });
  expect(unnamedSnapshots(view)).toEqual([b]);
});
