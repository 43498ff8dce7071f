// Copies one repository to one target after the other, each cut off at one call to the target, and is then killed.
import { readFileSync } from 'node:fs';
import { withFaults } from '../../dist/backends/index.js';
import { openRepository } from '../../dist/repo/index.js';
import { copySnapshots, listSnapshots } from '../../dist/snapshot/index.js';

const { source, orders } = JSON.parse(readFileSync(0, 'utf8'));

const open = ({ repo, cache }, wrapBackend) =>
  openRepository({
    location: repo,
    password: async () => Buffer.from('secret'),
    cacheRoot: cache,
    portable: false,
    host: 'here',
    now: () => Date.now() + 3_600_000,
    report: () => undefined,
    wrapBackend,
  });

const from = await open(source, (medium) => medium);
const { snapshots } = await listSnapshots(from);
for (const order of orders) {
  let faulty;
  let opening = Number.POSITIVE_INFINITY;
  const isThere = ({ number, operation, kind }) =>
    order.call === undefined
      ? operation === 'write' && kind === order.write
      : number === opening + order.call;
  const to = await open(order, (medium) => {
    faulty = withFaults(medium, (call) => (isThere(call) ? { when: order.when, stop: true } : undefined));
    return faulty;
  });
  opening = faulty.calls;
  const options = {
    isNamed: false,
    dryRun: false,
    threads: 2,
    by: 'tester',
    nowSeconds: 1_000_000,
    signal: new AbortController().signal,
  };
  const ended = await copySnapshots(from, to, snapshots, options, () => undefined).then(
    () => 'went on to its end',
    (error) => error.message,
  );
  process.stdout.write(`${JSON.stringify({ repo: order.repo, ended, calls: faulty.calls - opening })}\n`);
}
process.kill(process.pid, 'SIGKILL');
