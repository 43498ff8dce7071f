import { readFileSync } from 'node:fs';

/**
 * The command and its workers as a few files in dist/program: loading the modules one by one took 70 ms of each command and
 * 30 ms of each worker. The library stays as it was compiled. Files that start something lie side by side, because each
 * is found beside the module that starts it.
 */
const { dependencies, optionalDependencies } = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
);
const packages = Object.keys({ ...dependencies, ...optionalDependencies });

export default {
  input: {
    main: 'dist/cli/main.js',
    'intake-worker': 'dist/snapshot/intake/intake-worker.js',
    'restore-worker': 'dist/snapshot/restore/restore-worker.js',
    'check-worker': 'dist/snapshot/check/check-worker.js',
    walk: 'dist/repo/cache/walk.js',
  },
  external: (name) => packages.some((each) => name === each || name.startsWith(`${each}/`)),
  platform: 'node',
  output: {
    dir: 'dist/program',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'part-[name].js',
  },
};
