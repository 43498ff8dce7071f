import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { probeAbilities, tellMissing } from '../snapshot/abilities.js';
import { type Place, plainPlace, quoted } from './run.js';

/** `cbr snapshot` with lists of paths, names to store under, and links that are followed. */

const can = probeAbilities();
tellMissing(can, 'Sources of the program');

async function filled(): Promise<Place> {
  const its = await plainPlace();
  for (const name of ['a/1', 'a/2', 'b/3', ' spaced ', '#hash', '*']) {
    mkdirSync(join(its.source, name, '..'), { recursive: true });
    writeFileSync(join(its.source, name), name);
  }
  return its;
}

async function restoredNames(its: Place): Promise<string[]> {
  const target = join(its.root, `target-${readdirSync(its.root).length}`);
  expect((await its.run(['restore', 'latest', '--target', target])).code).toBe(0);
  const top = join(target, its.source);
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(top.length + 1))
    .sort();
}

describe('--files-from', () => {
  test('each line is a path as it stands; comments and empty lines are not', async () => {
    const its = await filled();
    const list = join(its.root, 'list');
    writeFileSync(list, '\ufeff# what is kept\n\na/1\n  \t\n spaced \n*\n./#hash\n');
    const { code, summary } = await its.json(['snapshot', '--files-from', list, 'b'], { cwd: its.source });
    expect(code).toBe(0);
    expect(summary).toMatchObject({ files: { new: 5 } });
    expect(summary.paths).toEqual(
      [' spaced ', '#hash', '*', 'a/1', 'b'].map((name) => join(its.source, name)),
    );
    expect(await restoredNames(its)).toEqual([' spaced ', '#hash', '*', 'a/1', 'b/3']);
  });

  test('from standard input, and bytes that are no text with --files-from0', async () => {
    const its = await filled();
    const odd = Buffer.concat([Buffer.from(its.source), Buffer.from('/caf\xe9\nline', 'latin1')]);
    writeFileSync(odd, 'odd');
    const find = `find ${quoted(its.source)} -type f`;
    const both = await its.shell(
      `${find} | cbr snapshot --files-from - --quiet; ${find} -print0 | cbr snapshot --files-from0 - --json`,
    );
    expect(both.code).toBe(0);
    // The line-break makes two paths of one in the first, which are both missing.
    expect(both.stderr).toMatch(/caf/);
    expect(JSON.parse(both.stdout.trim().split('\n').at(-1)!)).toMatchObject({
      files: { new: 1, unchanged: 6 },
      problems: 0,
      level: 'incr',
    });
    expect(await restoredNames(its)).toHaveLength(7);
  });

  test.each([
    [['--files-from', 'nowhere'], 'cannot read the list of paths'],
    [['--files-from', 'empty'], 'no path is named'],
    [['--files-from', 'zeros'], 'line 1 of .*zeros: a path cannot contain a NUL'],
    [['--files-from0', 'gap'], 'entry 2 of .*gap: an empty path'],
    [['--files-from', '-', '--files-from0', '-'], 'only one list'],
    [[], 'nothing to take in is named'],
    [['--as', '/x', 'a/1', 'a/2'], '--as is given 1 times for 2 paths'],
    [['--as', '/x', '--files-from', 'some'], 'and a list'],
    [['--as', 'relative', 'a/1'], 'absolute path'],
    [['--as', '/elsewhere=/x', 'a/1'], 'lies at or below'],
    [['--as', '/x', '--as', '/x', 'a/1', 'a/2'], 'would be stored as'],
    [['--dereference', '--follow-symlinks', '2', 'a'], 'cannot be used with'],
    [['--follow-symlinks', '0', 'a'], 'whole number from 1'],
  ])('%j is refused', async (args, message) => {
    const its = await filled();
    writeFileSync(join(its.source, 'empty'), '\n#\n');
    writeFileSync(join(its.source, 'zeros'), 'a/1\0a/2\0');
    writeFileSync(join(its.source, 'gap'), 'a/1\0\0a/2\0');
    writeFileSync(join(its.source, 'some'), 'a/1\n');
    const { code, stderr } = await its.run(['snapshot', ...args], { cwd: its.source });
    expect(stderr).toMatch(new RegExp(message));
    expect(code).toBe(2);
    expect((await its.json(['snapshots'])).items).toEqual([]);
  });
});

describe('--as', () => {
  test('one name for each path, in their order, and prefixes with = in them', async () => {
    const its = await filled();
    const first = await its.json(['snapshot', '--as', '/one', '--as', '/two', 'a', 'b'], { cwd: its.source });
    expect(first.summary).toMatchObject({ paths: ['/one', '/two'], files: { new: 3 } });
    mkdirSync(join(its.source, 'k=v/in'), { recursive: true });
    writeFileSync(join(its.source, 'k=v/in/file'), 'x');
    const args = ['snapshot', '--as', `${its.source}/k\\=v=/mapped`, 'k=v/in', 'a'];
    const second = await its.json(args, { cwd: its.source });
    expect(second.summary.paths).toEqual(['/mapped/in', join(its.source, 'a')]);
    const listed = await its.json(['ls', 'latest:/mapped/in']);
    expect(listed.items.map(({ path }) => path)).toContain('/mapped/in/file');
  });
});

describe('symlinks', () => {
  test('are links, or what they lead to', async () => {
    const its = await filled();
    const script = `cd ${quoted(its.source)} && ln -s ../a b/link && ln -s . b/up && cbr snapshot b --dereference --json`;
    const { code, stdout } = await its.shell(script);
    expect(code).toBe(0);
    expect(stdout).toMatch(/is a symlink back to/);
    expect(await restoredNames(its)).toEqual(['b/3', 'b/link/1', 'b/link/2', 'b/up']);
    expect(readFileSync(join(its.source, 'b/link/1'), 'utf8')).toBe('a/1');
  });
});

/** Not left out in silence: see above. */
const testLoops = can.loops ? test : undefined;

testLoops?.('--read-devices stores what is on a device, and dump gives it back', async () => {
  const its = await plainPlace();
  const script = `
    head -c 3000000 /dev/urandom > image
    truncate -s 3M image
    loop=$(losetup --find --show image)
    cbr snapshot --read-devices --quiet "$loop"
    cbr dump "latest:$loop" > copy
    losetup --detach "$loop"
    cmp image copy && echo same`;
  expect(await its.shell(script)).toMatchObject({ code: 0, stdout: 'same\n', stderr: '' });
});
