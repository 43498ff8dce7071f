import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, plainPlace } from './run.js';

/** The options that choose what goes in, through the program. */

function fill(its: Place, ...files: readonly string[]): void {
  for (const file of files) {
    mkdirSync(join(its.source, file, '..'), { recursive: true });
    writeFileSync(join(its.source, file), '');
  }
}

/** What a snapshot with these options would leave out, as a person is told, without what stands before it. */
async function told(its: Place, ...options: readonly string[]): Promise<string[]> {
  const { stdout, code, stderr } = await its.run(['snapshot', its.source, '--dry-run', ...options]);
  if (code !== 0) throw new Error(stderr);
  const lines = stdout.split('\n').filter((line) => line.startsWith('excluded'));
  return lines.map((line) => line.replace(/^excluded +/, '').replaceAll(its.root, ''));
}

/** What it leaves out, without why. */
async function excluded(its: Place, ...options: readonly string[]): Promise<string[]> {
  return (await told(its, ...options)).map((line) => line.replace(/ {2}\(.*/, '').replace('/source/', ''));
}

describe('what is left out', () => {
  test('is shown with the rule, and where that stands', async () => {
    const its = await plainPlace();
    fill(its, 'a.o', 'b/c.tmp', 'b/d.BAK', 'cache/x', 'no/x', 'big', 'e.log', 'b/f');
    writeFileSync(join(its.source, 'cache/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55\n');
    writeFileSync(join(its.source, 'no/.no'), 'here');
    writeFileSync(join(its.source, 'b/.ign'), '# mine\n\nf\n');
    writeFileSync(join(its.source, 'big'), Buffer.alloc(5000));
    const file = join(its.root, 'patterns');
    writeFileSync(file, '\n*.tmp\n');
    const options = [
      ...['--exclude', '*.o', '--exclude-file', file, '--iexclude', '*.bak', '--exclude-regex', '/e\\.l.g$'],
      ...[
        '--exclude-caches',
        '--exclude-if-present',
        '.no:he',
        '--exclude-larger-than',
        '4K',
        '--ignore-file',
        '.ign',
      ],
    ];
    expect(await told(its, ...options)).toEqual([
      '/source/a.o  (--exclude *.o)',
      '/source/b/c.tmp  (--exclude-file /patterns, line 2: *.tmp)',
      '/source/b/d.BAK  (--iexclude *.bak)',
      '/source/b/f  (--ignore-file /source/b/.ign, line 3: f)',
      '/source/big  (--exclude-larger-than 4K)',
      '/source/cache/x  (--exclude-caches /source/cache/CACHEDIR.TAG)',
      '/source/e.log  (--exclude-regex /e\\.l.g$)',
      '/source/no/x  (--exclude-if-present /source/no/.no)',
    ]);
    const { items } = await its.json(['snapshot', its.source, '-v', ...options]);
    const rules = items.filter(({ action }) => action === 'excluded').map(({ rule }) => rule);
    expect(rules).toEqual([
      { option: '--exclude', value: '*.o' },
      { option: '--exclude-file', value: '*.tmp', file, line: 2 },
      { option: '--iexclude', value: '*.bak' },
      { option: '--ignore-file', value: 'f', file: join(its.source, 'b/.ign'), line: 3 },
      { option: '--exclude-larger-than', value: '4K' },
      { option: '--exclude-caches', file: join(its.source, 'cache/CACHEDIR.TAG') },
      { option: '--exclude-regex', value: '/e\\.l.g$' },
      { option: '--exclude-if-present', file: join(its.source, 'no/.no') },
    ]);
  });

  test('is decided by the last pattern on the command line, whichever option gave it', async () => {
    const its = await plainPlace();
    fill(its, 'a.x', 'B.X', 'keep.x');
    const keep = join(its.root, 'keep');
    writeFileSync(keep, '!keep.*\r\n');
    expect(await excluded(its, '--exclude', '*.x', '--exclude-file', keep)).toEqual(['a.x']);
    expect(await excluded(its, '--exclude-file', keep, '--exclude', '*.x')).toEqual(['a.x', 'keep.x']);
    expect(await excluded(its, '--iexclude', '*.x', '--exclude', '!B*')).toEqual(['a.x', 'keep.x']);
    expect(await excluded(its, '--exclude', '!B*', '--iexclude-file', keep, '--iexclude', 'b*')).toEqual([
      'B.X',
    ]);
    expect(await excluded(its, '--include', '*.x', '--exclude', 'a*')).toEqual(['B.X', 'a.x']);
    expect(await excluded(its, '--iinclude', '*.x', '--include-file', keep)).toEqual(['keep.x']);
  });

  test('is exact in JSON and harmless on a terminal, whatever bytes it is made of', async () => {
    const its = await plainPlace();
    const file = join(its.root, 'patterns');
    writeFileSync(file, Buffer.from('\xff*\n\x1b]x\\?\n', 'latin1'));
    writeFileSync(Buffer.from(`${its.source}/\xffname`, 'latin1'), '');
    writeFileSync(join(its.source, '\x1b]x?'), '');
    const { items } = await its.json(['snapshot', its.source, '--dry-run', '--exclude-file', file]);
    expect(items).toMatchObject([
      { path: join(its.source, '\x1b]x?'), rule: { value: '\x1b]x\\?', line: 2 } },
      { rule: { valueBase64: Buffer.from('\xff*', 'latin1').toString('base64'), line: 1 } },
    ]);
    const lines = await told(its, '--exclude-file', file);
    expect(lines[0]).toContain('(--exclude-file /patterns, line 2: \\x1b]x\\?)');
    expect(lines[1]).toContain('line 1: \\xff*)');
  });
});

describe('bad input', () => {
  test('a pattern, a regular expression or a name that is none is refused with where it stands', async () => {
    const its = await plainPlace();
    const file = join(its.root, 'patterns');
    writeFileSync(file, 'sound\n\nab[cd\n');
    for (const [options, message] of [
      [['--exclude', 'x['], "invalid pattern 'x[' (--exclude): the '[' is never closed"],
      [['--iinclude', 'x\\'], "invalid pattern 'x\\' (--iinclude): nothing follows the '\\' at its end"],
      [['--exclude-file', file], `invalid pattern 'ab[cd' (${file}, line 3): the '[' is never closed`],
      [['--exclude-regex', 'a('], "invalid regular expression 'a(' (--exclude-regex): Unterminated group"],
      [['--ignore-file', 'a/b'], "invalid name 'a/b' (--ignore-file)"],
      [['--exclude-if-present', ':x'], "invalid name ':x' (--exclude-if-present)"],
      [['--exclude-xattr', '=x'], "invalid attribute '=x' (--exclude-xattr): it has no name"],
      [['--exclude-larger-than', '4X'], 'A size in bytes is expected'],
    ] as const) {
      const { code, stderr } = await its.run(['snapshot', its.source, ...options]);
      expect([options, code, stderr]).toEqual([options, 2, expect.stringContaining(message)]);
    }
    const { summary } = await its.json(['snapshot', its.source, '--exclude-file', file]);
    expect(summary).toMatchObject({ exitCode: 2, error: { code: 'usage' } });
    expect((await its.json(['snapshots'])).items).toEqual([]);
  });

  test('an ignore file that is not readable is an error, and the rest is stored', async () => {
    const its = await plainPlace();
    fill(its, 'a/x', 'a/b/x', 'x');
    for (const folder of ['', 'a', 'a/b']) writeFileSync(join(its.source, folder, '.ign'), 'x\n');
    writeFileSync(join(its.source, 'a/.ign'), Buffer.alloc(2 ** 20 + 1));
    const { summary, problems } = await its.json(['snapshot', its.source, '--ignore-file', '.ign']);
    expect(summary).toMatchObject({ exitCode: 3, problems: 1 });
    expect(problems).toMatchObject([
      { severity: 'error', about: 'source', path: join(its.source, 'a/.ign') },
    ]);
    const { items } = await its.json(['ls', '-R', `latest:${its.source}`]);
    expect(items.map(({ path }) => (path as string).slice(its.source.length + 1))).toEqual([
      '.ign',
      'a',
      'a/.ign',
      'a/b',
      'a/b/.ign',
      'a/x',
    ]);
  });

  test('an --include that nothing matches is noted', async () => {
    const its = await plainPlace();
    fill(its, 'a/x');
    const { summary, problems } = await its.json(['snapshot', its.source, '--include', 'y']);
    expect(summary).toMatchObject({ exitCode: 0, files: { new: 0 } });
    expect(problems).toMatchObject([
      { severity: 'note', message: expect.stringContaining('nothing matches --include') },
    ]);
  });
});
