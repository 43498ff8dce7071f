import { defineConfig } from 'vitest/config';

const soak = process.env.CBR_SOAK === '1';
const minute = 60_000;
const stores = 'test/stores/**/*.test.ts';

export default defineConfig({
  test: {
    // One more than the cores of a small machine: many tests wait for servers, silences and children that end.
    maxWorkers: 3,
    reporters: ['default', './test/summary-reporter.ts'],
    // Processes, not threads: tests change the working directory, load native libraries and get killed.
    pool: 'forks',
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: soak ? 30 * minute : minute,
    hookTimeout: soak ? 30 * minute : minute,
    projects: [
      { extends: true, test: { name: 'cbr', include: ['test/**/*.test.ts'], exclude: [stores] } },
      // Of its own, so that the servers run only where they are needed.
      {
        extends: true,
        test: {
          name: 'stores',
          include: [stores],
          globalSetup: ['test/servers/stores-setup.ts'],
          // As the program does for itself.
          env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
        },
      },
    ],
  },
});
