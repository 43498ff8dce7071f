// Takes one snapshot for each case, each cut off at one call to its repository, and is then killed with all of them open.
import { readFileSync } from 'node:fs';
import { failAt, withFaults } from '../../dist/backends/index.js';
import { NO_RULES } from '../../dist/fs/index.js';
import { openRepository } from '../../dist/repo/index.js';
import { takeSnapshot } from '../../dist/snapshot/index.js';

for (const { repo, cache, source, number, when } of JSON.parse(readFileSync(0, 'utf8'))) {
  const repository = await openRepository({
    location: repo,
    password: async () => Buffer.from('secret'),
    cacheRoot: cache,
    portable: false,
    host: 'here',
    now: () => Date.now() + 3_600_000,
    report: () => undefined,
    wrapBackend: (medium) => withFaults(medium, failAt(number, { when, stop: true })),
  }).catch(() => undefined);
  if (repository === undefined) continue;
  const options = {
    paths: [source],
    tags: [],
    host: 'here',
    user: 'tester',
    zoneOffset: 0,
    rules: NO_RULES,
    oneFileSystem: false,
    dryRun: false,
    threads: 1,
    items: false,
    ownFolders: [],
    signal: new AbortController().signal,
  };
  const ended = await takeSnapshot(repository, options, () => undefined).then(
    () => 'went on to its end',
    (error) => error.message,
  );
  process.stdout.write(`${number} ${when}: ${ended}\n`);
}
process.kill(process.pid, 'SIGKILL');
