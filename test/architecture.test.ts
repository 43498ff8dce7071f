import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  arrowsPointDown,
  coreHasNoPackages,
  edgesInCliOnly,
  fileLength,
  knownFolders,
  noAny,
  noCycles,
  noDefaultExports,
  noEnums,
  publicFacesOnly,
  type Rule,
  readerStandsAlone,
  type Sources,
  tellingNames,
} from './architecture/rules.js';

const project = join(import.meta.dirname, '..');

/** The files below `folder` whose names match, by path from the root of the project. */
function filesBelow(folder: string, name: RegExp): Sources {
  const paths = readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => name.test(path))
    .map((path) => `${folder}/${path}`)
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(project, path), 'utf8')]));
}

const sources = filesBelow('src', /\.ts$/);
const reader = filesBelow('restore', /\.ts$/);
const everything: Sources = new Map([
  ...sources,
  ...reader,
  ...filesBelow('test', /\.(ts|mjs)$/),
  ...filesBelow('bench', /\.mjs$/),
  ...filesBelow('bin', /\.js$/),
]);
const decisions = [...filesBelow('docs/adr', /\.md$/).values()].join('\n');
const withinLength = fileLength(decisions);

interface Case {
  readonly name: string;
  readonly rule: Rule;
  readonly judged: Sources;
  /** Breaks the rule and no other thing: the rule must name `culprit` and nothing else. */
  readonly bad: Readonly<Record<string, string>>;
  readonly culprit: string;
  /** Comes close and is allowed. */
  readonly good: Readonly<Record<string, string>>;
}

/** One case for each way in which a rule can be broken. */
const cases: readonly Case[] = [
  {
    name: 'every file lies in a folder of the layer order',
    rule: knownFolders,
    judged: sources,
    bad: { 'src/storage/pack.ts': '', 'src/core/ids.ts': '' },
    culprit: 'src/storage/pack.ts',
    good: { 'src/index.ts': '', 'src/repo/deep/pack.ts': '' },
  },
  {
    name: 'no import of a higher layer',
    rule: arrowsPointDown,
    judged: sources,
    bad: { 'src/repo/pack.ts': `import type { Tree } from '../snapshot/index.js';` },
    culprit: 'src/repo/pack.ts',
    good: {
      'src/snapshot/tree.ts': `import { Pack } from '../repo/index.js'; import { readFileSync } from 'node:fs';`,
    },
  },
  {
    name: 'no import of a sibling',
    rule: arrowsPointDown,
    judged: sources,
    bad: { 'src/engine/deep/worker.ts': `export { scan } from '../../fs/index.js';` },
    culprit: 'src/engine/deep/worker.ts',
    good: { 'src/engine/worker.ts': `import { cut } from '../chunker/index.js';` },
  },
  {
    name: 'no import of the front door, nor of what is outside src',
    rule: arrowsPointDown,
    judged: sources,
    bad: { 'src/cli/main.ts': `import { version } from '../../package.js';` },
    culprit: 'src/cli/main.ts',
    good: { 'src/index.ts': `export * from './cli/index.js';` },
  },
  {
    name: 'no dynamic import upwards',
    rule: arrowsPointDown,
    judged: sources,
    bad: { 'src/backends/local.ts': `const late = () => import('../repo/index.js');` },
    culprit: 'src/backends/local.ts',
    good: { 'src/cli/main.ts': `const late = () => import('../repo/index.js');` },
  },
  {
    name: 'other folders only through their index.ts',
    rule: publicFacesOnly,
    judged: sources,
    bad: { 'src/repo/pack.ts': `type Id = import('../core/ids.js').ChunkId;` },
    culprit: 'src/repo/pack.ts',
    good: { 'src/repo/pack.ts': `import '../core/index.js'; import './deep/seal.js';` },
  },
  {
    name: 'the front door uses public faces too',
    rule: publicFacesOnly,
    judged: sources,
    bad: { 'src/index.ts': `export * from './core/ids.js';` },
    culprit: 'src/index.ts',
    good: { 'src/index.ts': `export * from './core/index.js';` },
  },
  {
    name: 'no cycles, not even of types',
    rule: noCycles,
    judged: sources,
    bad: {
      'src/core/a.ts': `import type { B } from './b.js';`,
      'src/core/b.ts': `export { c } from './c.js';`,
      'src/core/c.ts': `import './a.js';`,
    },
    culprit: 'src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
    good: {
      'src/core/a.ts': `import './b.js'; import './c.js';`,
      'src/core/b.ts': `import './c.js';`,
      'src/core/c.ts': '',
    },
  },
  {
    name: 'core uses no packages',
    rule: coreHasNoPackages,
    judged: sources,
    bad: { 'src/core/hash.ts': `import { blake3 } from '@noble/hashes/blake3.js';` },
    culprit: 'src/core/hash.ts',
    good: {
      'src/core/hash.ts': `import 'node:crypto';`,
      'src/repo/hash.ts': `import '@noble/hashes/blake3.js';`,
    },
  },
  ...["import { Entry } from '../src/snapshot/index.js';", "import { unpack } from 'msgpackr';"].map(
    (text) => ({
      name: `the reader on the discs stands alone: ${text}`,
      rule: readerStandsAlone,
      judged: reader,
      bad: { 'restore/entry.ts': text },
      culprit: 'restore/entry.ts',
      good: {
        'restore/entry.ts': `import { readSync } from 'node:fs'; import './tree.js'; import 'fzstd'; import '@noble/hashes/blake3.js';`,
      },
    }),
  ),
  ...[
    'console.log(1);',
    'const level = process.env.LEVEL;',
    'const { env } = process;',
    `process['exit'](1);`,
    `import { env } from 'node:process';`,
    'const clock = () => Date.now();',
    'const clock = { now: Date.now };',
    'const now = new Date();',
    'globalThis.console.error(2);',
  ].map((text) => ({
    name: `only cli may say: ${text}`,
    rule: edgesInCliOnly,
    judged: sources,
    bad: { 'src/repo/pack.ts': text },
    culprit: 'src/repo/pack.ts',
    good: {
      'src/cli/main.ts': text,
      'src/repo/pack.ts':
        '// console.log, Date.now()\nconst t = new Date(0); const p = process.pid; performance.now();',
    },
  })),
  {
    name: 'no any',
    rule: noAny,
    judged: sources,
    bad: { 'src/core/a.ts': 'export const parse = (text: string): Map<string, any> => JSON.parse(text);' },
    culprit: 'src/core/a.ts',
    good: { 'src/core/a.ts': '// any\nexport const any: unknown = "any";' },
  },
  ...[
    'export default class {}',
    'const a = 1; export default a;',
    'const a = 1; export { a as default };',
  ].map((text) => ({
    name: `no default exports: ${text}`,
    rule: noDefaultExports,
    judged: sources,
    bad: { 'src/core/a.ts': text },
    culprit: 'src/core/a.ts',
    good: {
      'src/core/a.ts': `import lz from 'lz'; export function f() { switch (1) { default: return lz; } }`,
    },
  })),
  {
    name: 'no enums',
    rule: noEnums,
    judged: sources,
    bad: { 'src/core/a.ts': 'export const enum Kind { data, tree }' },
    culprit: 'src/core/a.ts',
    good: { 'src/core/a.ts': `export type Kind = 'data' | 'tree';` },
  },
  {
    name: 'no file above 400 lines without a decision record',
    rule: fileLength('src/core/long-but-explained.ts'),
    judged: new Map(),
    bad: { 'src/core/long.ts': '\n'.repeat(401), 'src/core/long-but-explained.ts': '\n'.repeat(401) },
    culprit: 'src/core/long.ts',
    good: { 'src/core/long.ts': '\n'.repeat(400), 'src/core/long-but-explained.ts': '\n'.repeat(401) },
  },
  ...['src/core/utils.ts', 'test/pack-helpers.ts', 'bench/misc/table.mjs', 'src/repo/packManager.ts'].map(
    (path) => ({
      name: `names that say something, not ${path}`,
      rule: tellingNames,
      judged: everything,
      bad: { [path]: '' },
      culprit: path.includes('/misc/') ? 'bench/misc' : path,
      good: { 'src/core/commonality.ts': '', 'src/core/pack.ts': '' },
    }),
  ),
];

describe('the project', () => {
  test('was read', () => {
    expect([...sources.keys()]).toContain('src/core/index.ts');
    expect([...everything.keys()]).toContain('test/architecture.test.ts');
  });

  // One rule has several cases: judge the project once by each.
  const judged = new Map(cases.filter(({ judged }) => judged.size > 0).map((each) => [each.rule, each]));
  for (const [rule, each] of judged) {
    test(`${rule.name}`, () => expect(rule(each.judged)).toEqual([]));
  }
  test('fileLength', () => expect(withinLength(everything)).toEqual([]));
});

describe('each rule can fail', () => {
  for (const { name, rule, bad, culprit, good } of cases) {
    test(name, () => {
      const violations = rule(new Map(Object.entries(bad)));
      expect(violations).toHaveLength(1);
      expect(violations[0]?.startsWith(culprit)).toBe(true);
      expect(rule(new Map(Object.entries(good)))).toEqual([]);
    });
  }
});
