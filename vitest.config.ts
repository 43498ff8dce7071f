import { defineConfig } from 'vitest/config';

const soak = process.env.CBR_SOAK === '1';
const minute = 60_000;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not threads: tests change the working directory, load native libraries and get killed.
    pool: 'forks',
    maxWorkers: 2,
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: soak ? 30 * minute : minute,
    hookTimeout: soak ? 30 * minute : minute,
    reporters: ['default', './test/summary-reporter.ts'],
  },
});
