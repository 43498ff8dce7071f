import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * The command and its workers as a few files in dist/program: loading the modules one by one took 70 ms of each command and
 * 75 ms of each worker. Each of them is bundled by itself, with only what it uses. What a library starts, the same workers,
 * takes the place of what was compiled; the rest of the library stays as it was compiled.
 * Files that start something lie side by side, because each is found beside the module that starts it.
 */
const { version, dependencies, optionalDependencies } = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
);
const packages = Object.keys({ ...dependencies, ...optionalDependencies }).filter((each) => !each.startsWith('@aws-sdk'));

/** Into dist/program, and into the other folders given. */
function bundle(name, source, folders = []) {
  return {
    input: { [name]: `dist/${source}.js` },
    external: (module) => packages.some((each) => module === each || module.startsWith(`${each}/`)),
    platform: 'node',
    // A module of ours does nothing when it is loaded, but for those that are started.
    treeshake: { moduleSideEffects: false },
    output: ['dist/program', ...folders].map((dir) => ({
      dir,
      entryFileNames: '[name].js',
      chunkFileNames: `${name}-[name].js`,
    })),
  };
}

/** What is started beside the program, and beside the library. */
function started(source) {
  return bundle(basename(source), source, [`dist/${dirname(source)}`]);
}

/** The licences of packages that become part of a bundle must go along with them. */
function licenceOf(module) {
  return readFileSync(new URL(`node_modules/${module}/LICENSE`, import.meta.url), 'utf8').trim();
}

/**
 * The reader that lies on every disc: one file that needs nothing but Node, and that people can read, for it may be all that they
 * have. It imports nothing from src.
 */
const discReader = {
  input: { 'cbr-restore': 'restore/main.ts' },
  platform: 'node',
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  transform: { target: 'node18', define: { CBR_VERSION: JSON.stringify(version) } },
  output: {
    dir: 'dist/restore',
    entryFileNames: '[name].mjs',
    minify: false,
    comments: true,
    banner: `/*
 * cbr-restore: restores files from backup discs of cbr ${version}.
 *
 * It needs Node.js 18 or newer (https://nodejs.org) and nothing else. In a terminal:
 *
 *   node cbr-restore.mjs list
 *   node cbr-restore.mjs restore latest --target FOLDER
 *   node cbr-restore.mjs --help
 *
 * It is put together from the files named below, and written from the description of the format (docs/format.md) alone. Licence: MIT.
 *
 * It contains @noble/hashes (BLAKE3 and argon2id) and fzstd (Zstandard), under these licences:
 *
${['@noble/hashes', 'fzstd']
  .map((each) => `${each}\n\n${licenceOf(each)}`)
  .join('\n\n')
  .split('\n')
  .map((line) => ` * ${line}`.trimEnd())
  .join('\n')}
 */`,
  },
};

export default [
  bundle('main', 'cli/main'),
  started('snapshot/intake/intake-worker'),
  started('snapshot/restore/restore-worker'),
  started('snapshot/check/check-worker'),
  started('snapshot/prune/prune-worker'),
  started('snapshot/copy/copy-worker'),
  started('repo/cache/walk'),
  discReader,
];
