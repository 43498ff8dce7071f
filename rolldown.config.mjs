import { readFileSync } from 'node:fs';

/**
 * The command and its workers as a few files in dist/program: loading the modules one by one took 70 ms of each command and
 * 30 ms of each worker. Each of them is bundled by itself, with only what it uses. The library stays as it was compiled.
 * Files that start something lie side by side, because each is found beside the module that starts it.
 */
const { dependencies, optionalDependencies } = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
);
const packages = Object.keys({ ...dependencies, ...optionalDependencies }).filter((each) => !each.startsWith('@aws-sdk'));

function bundle(name, source) {
  return {
    input: { [name]: `dist/${source}.js` },
    external: (module) => packages.some((each) => module === each || module.startsWith(`${each}/`)),
    platform: 'node',
    // A module of ours does nothing when it is loaded, but for those that are started.
    treeshake: { moduleSideEffects: false },
    output: { dir: 'dist/program', entryFileNames: '[name].js', chunkFileNames: `${name}-[name].js` },
  };
}

export default [
  bundle('main', 'cli/main'),
  bundle('intake-worker', 'snapshot/intake/intake-worker'),
  bundle('restore-worker', 'snapshot/restore/restore-worker'),
  bundle('check-worker', 'snapshot/check/check-worker'),
  bundle('prune-worker', 'snapshot/prune/prune-worker'),
  bundle('copy-worker', 'snapshot/copy/copy-worker'),
  bundle('walk', 'repo/cache/walk'),
];
