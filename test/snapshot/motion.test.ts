import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Listener, ProblemEvent } from '../../dist/snapshot/index.js';
import { excluding } from '../fs/rules.js';
import { QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { isSoak, type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { factsOf } from './tree-facts.js';

const severities = (problems: readonly ProblemEvent[], its: Scratch): [string, string][] =>
  problems.map(({ subject, severity }) => [subject.slice(its.source.length + 1), severity]);

/** Calls `action` once, when the folder that holds `trigger` has been listed and nothing in it read yet. */
function whenListed(trigger: string, action: () => void): Listener {
  let done = false;
  return (event) => {
    if (done || event.type !== 'item' || event.action !== 'excluded' || event.path !== trigger) return;
    done = true;
    action();
  };
}

describe('between scan and read', () => {
  test('files that vanish, grow, shrink or become something else', async () => {
    const its = await scratchRepository();
    const at = (name: string): string => join(its.source, name);
    const [small, large] = [50_000, 6_000_000];
    for (const [kind, size] of [
      ['small', small],
      ['large', large],
    ] as const) {
      const names = [
        'fifo',
        'folder',
        'gone',
        'grown',
        'grown very large',
        'replaced',
        'shrunk',
        'steady',
        'symlink',
      ];
      for (const [i, name] of names.entries())
        writeFileSync(at(`${kind} ${name}`), randomContent(i + size, size));
    }
    runScript(its.source, [
      'ln -s nowhere link',
      'mkdir -p zz/inner zzz/inner',
      'touch zz/inner/file zzz/inner/file trigger',
    ]);
    writeFileSync(join(its.root, 'secret'), 'secret');
    const change = (): void => {
      for (const kind of ['small', 'large']) {
        for (const name of ['fifo', 'folder', 'gone', 'symlink']) rmSync(at(`${kind} ${name}`));
        execFileSync('mkfifo', [at(`${kind} fifo`)]);
        mkdirSync(at(`${kind} folder`));
        symlinkSync(join(its.root, 'secret'), at(`${kind} symlink`));
        writeFileSync(at(`${kind} grown`), randomContent(7, 90_000), { flag: 'a' });
        writeFileSync(at(`${kind} grown very large`), randomContent(8, 20_000_000), { flag: 'a' });
        truncateSync(at(`${kind} shrunk`), 1000);
        renameSync(at(`${kind} replaced`), join(its.root, `old ${kind}`));
        writeFileSync(at(`${kind} replaced`), 'new');
      }
      rmSync(at('link'));
      rmSync(at('zz'), { recursive: true });
      rmSync(at('zzz'), { recursive: true });
      writeFileSync(at('zzz'), 'a file by now');
    };
    const { problems, summary } = await its.take(
      { rules: excluding('trigger') },
      {},
      whenListed(at('trigger'), change),
    );
    expect(summary.errors).toBe(7);
    expect(new Map(severities(problems, its))).toEqual(
      new Map([
        ...['small', 'large'].flatMap((kind) => [
          ...['fifo', 'folder', 'symlink'].map((name): [string, string] => [`${kind} ${name}`, 'error']),
          [`${kind} gone`, 'note'] as [string, string],
        ]),
        ['zz', 'note'],
        // Stored as the folder it was, without what was in it.
        ['zzz', 'error'],
        ['link', 'note'],
      ]),
    );
    const { target, summary: restored } = await its.restore();
    expect(restored.lost).toBe(0);
    for (const kind of ['small', 'large']) {
      for (const name of ['fifo', 'folder', 'symlink', 'gone']) {
        expect(lstatSync(join(target, `${kind} ${name}`), { throwIfNoEntry: false }), name).toBeUndefined();
      }
      for (const name of ['grown', 'grown very large', 'replaced', 'shrunk', 'steady']) {
        const path = `${kind} ${name}`;
        expect(readFileSync(join(target, path)).equals(readFileSync(at(path))), path).toBe(true);
      }
    }
    // Nothing of it is remembered wrongly.
    rmSync(at('trigger'));
    const next = await its.take();
    expect(next.problems).toEqual([]);
    const again = await its.restore();
    expect(factsOf(again.target)).toEqual(factsOf(its.source));
  });

  test('names of one file: what is shared is the content of that very file', async () => {
    const its = await scratchRepository();
    const at = (name: string): string => join(its.source, name);
    runScript(its.source, ['mkdir a b c m']);
    for (const kind of ['gone', 'replaced', 'steady']) {
      writeFileSync(at(`a/${kind}`), `precious ${kind}`);
      for (const folder of ['b', 'c']) linkSync(at(`a/${kind}`), at(`${folder}/${kind}`));
    }
    writeFileSync(at('m/trigger'), '');
    writeFileSync(join(its.root, 'other'), 'something else');
    const change = (): void => {
      rmSync(at('a/gone'));
      renameSync(join(its.root, 'other'), at('a/replaced'));
    };
    const { problems, summary } = await its.take(
      { rules: excluding('trigger') },
      {},
      whenListed(at('m/trigger'), change),
    );
    expect(severities(problems, its)).toEqual([['a/gone', 'note']]);
    expect(summary.statistics).toMatchObject({ files: 8, newFiles: 8 });
    const { target } = await its.restore();
    expect(existsSync(join(target, 'a/gone'))).toBe(false);
    for (const name of [
      'a/replaced',
      'a/steady',
      'b/gone',
      'b/replaced',
      'b/steady',
      'c/gone',
      'c/replaced',
    ]) {
      expect(readFileSync(join(target, name), 'utf8'), name).toBe(readFileSync(at(name), 'utf8'));
    }
    const inode = (name: string): number => statSync(join(target, name)).ino;
    for (const kind of ['gone', 'replaced', 'steady']) expect(inode(`b/${kind}`)).toBe(inode(`c/${kind}`));
    expect(inode('a/steady')).toBe(inode('b/steady'));
    expect(inode('a/replaced')).not.toBe(inode('b/replaced'));
  });

  test('names of one large file: the others are read again, and stored, when the first became another file', async () => {
    const its = await scratchRepository();
    const at = (name: string): string => join(its.source, name);
    runScript(its.source, ['mkdir a b m']);
    writeFileSync(at('a/large'), randomContent(1, 9_000_000));
    linkSync(at('a/large'), at('b/large'));
    writeFileSync(at('m/trigger'), '');
    writeFileSync(join(its.root, 'other'), randomContent(2, 9_000_000));
    // Large files are opened at once: the first name leads elsewhere before its folder is left.
    writeFileSync(at('a/a trigger'), '');
    const change = (): void => renameSync(join(its.root, 'other'), at('a/large'));
    await its.take({ rules: excluding('*trigger') }, {}, whenListed(at('a/a trigger'), change));
    const { target, summary } = await its.restore();
    expect(summary.lost).toBe(0);
    for (const name of ['a/large', 'b/large']) {
      expect(readFileSync(join(target, name)).equals(readFileSync(at(name))), name).toBe(true);
    }
    expect((await its.check(100)).findings).toEqual([]);
  });

  test('a dry run says what vanished or became something else, and goes on', async () => {
    const its = await scratchRepository();
    const at = (name: string): string => join(its.source, name);
    for (const name of ['a', 'gone', 'trigger', 'z']) writeFileSync(at(name), name);
    const change = (): void => rmSync(at('gone'));
    const { problems, summary } = await its.take(
      { rules: excluding('trigger'), dryRun: true },
      {},
      whenListed(at('trigger'), change),
    );
    expect(severities(problems, its)).toEqual([['gone', 'note']]);
    expect(summary.snapshot).toBeUndefined();
    expect(summary.statistics).toMatchObject({ newFiles: 2 });
  });

  test('a source that vanishes, is cleared or becomes a symlink', async () => {
    const its = await scratchRepository();
    const at = (name: string): string => join(its.source, name);
    runScript(its.source, ['mkdir a cleared vanishing z', 'touch a/trigger', 'echo x > single']);
    for (const name of ['a', 'cleared', 'vanishing', 'z']) writeFileSync(at(`${name}/file`), name);
    const paths = ['a', 'cleared', 'single', 'vanishing', 'z'].map(at);
    await its.take({ paths, rules: excluding('trigger') });
    const change = (): void => {
      renameSync(at('vanishing'), join(its.root, 'away'));
      rmSync(at('single'));
      rmSync(at('cleared/file'));
      rmSync(at('z'), { recursive: true });
      symlinkSync(join(its.root, 'away'), at('z'));
    };
    const { problems, summary } = await its.take(
      { paths, rules: excluding('trigger') },
      {},
      whenListed(at('a/trigger'), change),
    );
    expect(summary.errors).toBe(3);
    expect(severities(problems, its).sort()).toEqual([
      ['single', 'error'],
      ['vanishing', 'error'],
      ['z', 'error'],
    ]);
    const { target } = await its.restore();
    expect(existsSync(join(target, 'a/file'))).toBe(true);
    expect(existsSync(join(target, 'vanishing'))).toBe(false);
    // It was a folder when the run began: where the symlink leads is not what was asked for.
    expect(lstatSync(join(target, 'z'), { throwIfNoEntry: false })).toBeUndefined();
    // What the last snapshot does not hold is not taken for stored.
    renameSync(join(its.root, 'away'), at('vanishing'));
    await its.take({ paths: paths.filter((path) => !path.endsWith('single')), rules: excluding('trigger') });
    expect((await its.check(100)).findings).toEqual([]);
    const again = await its.restore();
    expect(readFileSync(join(again.target, 'vanishing/file'), 'utf8')).toBe('vanishing');
  });

  test('all sources: there is no snapshot', async () => {
    const its = await scratchRepository();
    runScript(its.source, ['mkdir a b', 'touch a/trigger b/file']);
    const paths = [join(its.source, 'b')];
    const gone = whenListed(join(its.source, 'b/file'), () => undefined);
    rmSync(join(its.source, 'b'), { recursive: true });
    await expect(its.take({ paths }, {}, gone)).rejects.toMatchObject({ code: 'source' });
    expect(await its.snapshots()).toEqual([]);
  });
});

/** Whether the kernel gives every change a time of its own when somebody looked before: then no change can go unseen. */
function hasFineTimes(): boolean {
  const path = join(QUICK, `cbr-times-${process.pid}`);
  const fd = openSync(path, 'w');
  try {
    let last = 0n;
    for (let i = 0; i < 50; i++) {
      writeSync(fd, 'x', 0);
      const { mtimeNs } = statSync(path, { bigint: true });
      if (mtimeNs === last) return false;
      last = mtimeNs;
    }
    return true;
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}

const isUniform = (content: Buffer): boolean => content.every((byte) => byte === content[0]);

/** Whether motion-child.mjs ever had the file like this. */
function isOfOneMoment(path: string): boolean {
  const content = readFileSync(path);
  if (!path.includes('numbered')) return isUniform(content);
  const atEnd = content.readUInt32LE(content.length - 4);
  return content.readUInt32LE(0) - atEnd <= 1 && content.readUInt32LE(0) >= atEnd;
}

describe('files that never hold still', () => {
  async function startMoving(its: Scratch): Promise<ChildProcess> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'motion-child.mjs'), its.source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout!, 'data');
    return child;
  }

  test('each is flagged, or as it was at one moment', { timeout: 600_000 }, async () => {
    const fine = hasFineTimes();
    if (!fine)
      process.stderr.write('Files in motion: the clock of this kernel is too coarse to tell every change.\n');
    const its = await scratchRepository();
    const child = await startMoving(its);
    const seen = new Set<string>();
    // On a busy machine the child may stand still while the first snapshots are taken.
    const goesOn = (round: number): boolean =>
      round < (isSoak ? 100 : 6) || (round < 100 && !seen.has('changed'));
    for (let round = 0; goesOn(round); round++) {
      const { problems } = await its.take();
      for (const { severity } of problems) seen.add(severity);
      const flagged = new Set(
        problems
          .filter(({ severity }) => severity === 'changed')
          .map(({ subject }) => subject.slice(its.source.length + 1)),
      );
      // Only what is a different thing each time may be unreadable.
      const errors = severities(problems, its).filter(([, severity]) => severity === 'error');
      expect(errors.filter(([name]) => !/^(swapped|passing \d+)$/.test(name))).toEqual([]);
      const { target, summary } = await its.restore();
      expect(summary.lost).toBe(0);
      for (const size of ['small', 'large']) {
        // Without fine times there is no way to see every change.
        for (const name of fine ? [`numbered, ${size}`, `cut, ${size}`] : []) {
          if (!flagged.has(name))
            expect(isOfOneMoment(join(target, name)), `${name}, snapshot ${round}`).toBe(true);
        }
        const replaced = join(target, `replaced, ${size}`);
        expect(isUniform(readFileSync(replaced)), `${replaced}, snapshot ${round}`).toBe(true);
      }
      const growing = readFileSync(join(target, 'growing'), 'latin1');
      expect(readFileSync(join(its.source, 'growing'), 'latin1').startsWith(growing)).toBe(true);
      rmSync(target, { recursive: true });
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    // Whatever was seen in the turmoil, the next snapshot is right.
    const still = await its.take();
    expect(still.problems).toEqual([]);
    const { target } = await its.restore();
    expect(factsOf(target)).toEqual(factsOf(its.source));
    expect((await its.check(100)).findings).toEqual([]);
    expect(seen).toContain('changed');
  });
});
