import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, plainPlace } from './run.js';

const MEBIBYTE = 2 ** 20;

/** So much, and so little compressible, that a signal arrives before it is stored. */
async function large(): Promise<Place> {
  const its = await plainPlace();
  for (let i = 0; i < 12; i++) {
    mkdirSync(join(its.source, `${i}`));
    writeFileSync(join(its.source, `${i}/random`), randomBytes(8 * MEBIBYTE));
  }
  return its;
}

const packsIn = ({ repo }: Place): number =>
  readdirSync(join(repo, 'packs'), { recursive: true }).filter((name) => String(name).length > 60).length;

/** Sessions that are registered: by the object that stays from start to end. */
const sessionsIn = ({ repo }: Place): number =>
  readdirSync(join(repo, 'sessions')).filter((id) => existsSync(join(repo, 'sessions', id, '0'))).length;

/** Sends a signal as soon as the run has registered its session. */
function onceRegistered(its: Place, signals: readonly NodeJS.Signals[]) {
  return (child: { kill(signal: NodeJS.Signals): boolean; exitCode: number | null }): void => {
    const timer = setInterval(() => {
      if (child.exitCode !== null) clearInterval(timer);
      if (sessionsIn(its) === 0) return;
      clearInterval(timer);
      for (const signal of signals) child.kill(signal);
    }, 5);
  };
}

describe('a signal during a snapshot', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s stops it cleanly', async (signal) => {
    const its = await large();
    const run = await its.json(['snapshot', its.source], { during: onceRegistered(its, [signal]) });
    expect(run).toMatchObject({ code: 130, signal: null, stderr: '' });
    expect(run.summary).toMatchObject({
      command: 'snapshot',
      exitCode: 130,
      error: { code: 'interrupted', message: expect.stringContaining(signal) },
    });
    // The session has ended, so the next run and everybody else can use what it stored.
    expect(sessionsIn(its)).toBe(0);
    expect((await its.json(['snapshots'])).items).toEqual([]);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);

    const stored = packsIn(its);
    const next = await its.json(['snapshot', its.source]);
    expect(next).toMatchObject({ code: 0, problems: [] });
    expect(packsIn(its)).toBeGreaterThan(stored);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
  });

  test('a word for people', async () => {
    const its = await large();
    const run = await its.run(['snapshot', its.source], { during: onceRegistered(its, ['SIGINT']) });
    expect(run).toMatchObject({ code: 130, stdout: '' });
    expect(run.stderr).toMatch(/^SIGINT: stopping.*\ncbr: interrupted by SIGINT\n.*\n$/);
  });

  test('kill -9: the dead session is shown, and ended by the next run', async () => {
    const its = await large();
    const run = await its.run(['snapshot', its.source], { during: onceRegistered(its, ['SIGKILL']) });
    expect(run).toMatchObject({ code: null, signal: 'SIGKILL' });
    const { items, summary } = await its.json(['sessions']);
    expect(items).toMatchObject([{ state: 'dead', pid: expect.any(Number) }]);
    expect(summary).toMatchObject({ sessions: 1 });
    expect((await its.run(['sessions'])).stdout).toMatch(/dead/);
    const checked = await its.json(['check', '--read-data']);
    expect(checked.code).toBe(0);

    expect((await its.json(['snapshot', its.source])).code).toBe(0);
    expect(sessionsIn(its)).toBe(0);
    expect((await its.run(['check', '--read-data'])).code).toBe(0);
    const target = join(its.root, 'out');
    expect((await its.run(['restore', `latest:${its.source}`, '--target', target])).code).toBe(0);
    expect(spawnSync('diff', ['-r', its.source, target]).status).toBe(0);
  });

  test('while it runs it is shown as writing', async () => {
    const its = await large();
    let seen: Promise<Awaited<ReturnType<Place['json']>>> | undefined;
    const run = await its.run(['snapshot', its.source], {
      during: (child) => {
        const timer = setInterval(() => {
          if (child.exitCode !== null) clearInterval(timer);
          if (sessionsIn(its) === 0) return;
          clearInterval(timer);
          // It stands still as long as it is looked at.
          child.kill('SIGSTOP');
          seen = its.json(['sessions']).finally(() => child.kill('SIGCONT'));
        }, 5);
      },
    });
    expect(run.code).toBe(0);
    expect((await seen!).items).toMatchObject([{ state: 'writing', pid: expect.any(Number) }]);
  });
});

test('a signal during a restore leaves no half file under its name', async () => {
  const its = await large();
  expect((await its.run(['snapshot', its.source])).code).toBe(0);
  const target = join(its.root, 'out');
  const run = await its.run(['restore', `latest:${its.source}`, '--target', target], {
    during: (child) => {
      const timer = setInterval(() => {
        if (child.exitCode === null && !existsSync(target)) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 2);
    },
  });
  expect(run.code).toBe(130);
  for (const name of readdirSync(target, { recursive: true }).map(String)) {
    if (!name.endsWith('/random')) continue;
    expect(spawnSync('cmp', [join(its.source, name), join(target, name)]).status).toBe(0);
  }
});
