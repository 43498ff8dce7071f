import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * The command and its workers as a few files in dist/program: loading the modules one by one took 70 ms of each command and
 * 75 ms of each worker. Each of them is bundled by itself, with only what it uses. What a library starts, the same workers,
 * takes the place of what was compiled; the rest of the library stays as it was compiled.
 * Files that start something lie side by side, because each is found beside the module that starts it.
 */
const { dependencies, optionalDependencies } = JSON.parse(
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

export default [
  bundle('main', 'cli/main'),
  started('snapshot/intake/intake-worker'),
  started('snapshot/restore/restore-worker'),
  started('snapshot/check/check-worker'),
  started('snapshot/prune/prune-worker'),
  started('snapshot/copy/copy-worker'),
  started('repo/cache/walk'),
];
