import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import { encode } from '../../dist/core/index.js';
import {
  createRecord,
  forgottenRecord,
  outcomeRecord,
  type Repository,
  readRecord,
  removeSession,
} from '../../dist/repo/index.js';
import { sessionStatus } from '../../dist/snapshot/index.js';
import { Copy, filledScratch, findingOf, objectsOf } from './check-subject.js';
import { randomContent } from './random-content.js';
import type { Scratch } from './scratch-repository.js';

/** What runs leave behind: snapshots that vanish, sessions that never ended. */

let subject: Scratch;

beforeAll(async () => {
  subject = await filledScratch();
});
afterAll(() => subject.remove());

async function forget(repository: Repository, id: SessionId): Promise<void> {
  const { backend, records } = repository;
  const outcome = await readRecord(backend, 'snapshots', id, outcomeRecord, records);
  const record = { outcome: encode(outcomeRecord, outcome), by: 'test', time: 1 };
  await createRecord(backend, 'forgotten', id, forgottenRecord, record, records);
  await backend.remove('snapshots', id);
}

describe('snapshots', () => {
  test('one that vanished though a later one saw it is named with its witness', async () => {
    const copy = new Copy(subject);
    const [first, second] = await copy.snapshots();
    copy.lose(`snapshots/${first!.id}`);
    const finding = findingOf(await copy.run(), `snapshots/${first!.id}`);
    expect(finding?.reason).toContain(
      `vanished without being forgotten: snapshot ${second!.id.slice(0, 8)} saw it`,
    );
    expect(finding?.affected).toContain(`${first!.id.slice(0, 8)}:/`);
    // What only the segments of its session name is lost to the second one.
    expect(finding?.affected).toContain(`${second!.id.slice(0, 8)}:${copy.original.source}/docs/old/39.bin`);
  });

  test('one that nobody saw is missed through the index segments of its session', async () => {
    const copy = new Copy(subject);
    const [, second] = await copy.snapshots();
    copy.lose(`snapshots/${second!.id}`);
    const report = await copy.run();
    expect(objectsOf(report)).toEqual([`snapshots/${second!.id}`]);
    expect(report.findings[0]!.affected).toEqual([`${second!.id.slice(0, 8)}:/`]);
  });

  test('one that was forgotten is nobody’s damage', async () => {
    const copy = new Copy(subject);
    const [first] = await copy.snapshots();
    await copy.use((repository) => forget(repository, first!.id));
    expect(await copy.run(100)).toMatchObject({ findings: [], notes: [], snapshots: 1 });
  });

  test('one seen only by a forgotten one is still missed', async () => {
    const copy = new Copy(subject);
    const [first, second] = await copy.snapshots();
    await copy.use((repository) => forget(repository, second!.id));
    copy.lose(`snapshots/${first!.id}`);
    const finding = findingOf(await copy.run(), `snapshots/${first!.id}`);
    expect(finding?.reason).toContain(`snapshot ${second!.id.slice(0, 8)} saw it`);
  });

  test('a damaged forgotten record is a finding, and the snapshot stays forgotten', async () => {
    const copy = new Copy(subject);
    const [first] = await copy.snapshots();
    await copy.use((repository) => forget(repository, first!.id));
    const object = `forgotten/${first!.id}`;
    copy.flip(object, copy.size(object) >> 1);
    expect(objectsOf(await copy.run())).toEqual([object]);
  });
});

describe('a killed run', () => {
  /** A copy with a new file in its source, and a run over it that died before it wrote an object of that kind. */
  function killed(kind: string): Copy {
    const copy = new Copy(subject);
    writeFileSync(join(copy.source, 'new.bin'), randomContent(99, 900_000));
    const script = join(import.meta.dirname, 'check-killed.mjs');
    const ended = spawnSync(process.execPath, [script, copy.repo, copy.cache, copy.source, kind]);
    expect(ended.signal, String(ended.stderr)).toBe('SIGKILL');
    return copy;
  }

  test('leaves notes: a session, and packs that no segment names', async () => {
    const copy = killed('index');
    const report = await copy.run(100);
    expect(report.findings).toEqual([]);
    expect(report.snapshots).toBe(2);
    expect(report.notes.join('\n')).toMatch(/session [0-9a-f]{8} of process \d+ on here was killed/);
    expect(report.notes.join('\n')).toMatch(/\d+ packs \(\d+ bytes\) are named by no index segment/);
    const [session] = await copy.use(sessionStatus);
    expect(session).toMatchObject({ host: 'here', state: 'own host, dead' });
  });

  test('leaves notes: segments that do not count before its session is ended', async () => {
    const copy = killed('snapshots');
    const report = await copy.run(100);
    expect(report.findings).toEqual([]);
    expect(report.notes.join('\n')).toMatch(/1 index segments do not count/);
  });

  test('leaves staged files, which are noted', async () => {
    const copy = killed('packs');
    const report = await copy.run();
    expect(report.findings).toEqual([]);
    expect(report.notes.join('\n')).toMatch(/files are staged in .*tmp/);
  });

  test('leaves nothing behind once the next one ran', async () => {
    const copy = killed('snapshots');
    const { summary } = await copy.take();
    // Nothing of the new file is stored again: what the killed run stored counts.
    expect(summary.statistics.newBytes).toBe(0);
    const report = await copy.run(100);
    expect(report).toMatchObject({ findings: [], snapshots: 3 });
    expect(report.notes).toEqual([]);
    expect(await copy.use(sessionStatus)).toEqual([]);
  });

  test('whose session was cleared away without an outcome is a finding', async () => {
    const copy = killed('snapshots');
    const id = basename(copy.objects('sessions')[0]!.slice(0, -'/0'.length)) as SessionId;
    await copy.use(({ backend }) => removeSession(backend, id));
    expect(objectsOf(await copy.run())).toEqual([`snapshots/${id}`]);
  });
});
