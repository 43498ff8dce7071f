// Takes a snapshot and is killed when it is about to write its first object of a kind.
import { NO_RULES } from '../../dist/fs/index.js';
import { openRepository } from '../../dist/repo/index.js';
import { takeSnapshot } from '../../dist/snapshot/index.js';

const [location, cacheRoot, source, kind] = process.argv.slice(2);
const repository = await openRepository({
  location,
  cacheRoot,
  password: async () => Buffer.from('secret'),
  portable: false,
  host: 'here',
  now: () => Date.now(),
  report: () => undefined,
});
const write = repository.backend.write.bind(repository.backend);
repository.backend.write = async (to, ...rest) => {
  if (to === kind) process.kill(process.pid, 'SIGKILL');
  return write(to, ...rest);
};
await takeSnapshot(
  repository,
  {
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
  },
  () => undefined,
);
