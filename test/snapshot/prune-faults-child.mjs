// Prunes (or forgets in) one repository after the other, each cut off at one call to it or at one transaction of the cache,
// and is then killed with all of them open.
import { readFileSync } from 'node:fs';
import { forwardTo } from '../../dist/backends/forward.js';
import { withFaults } from '../../dist/backends/index.js';
import { isAlive } from '../../dist/core/index.js';
import { Database } from '../../dist/repo/cache/database.js';
import { forgetSnapshot, openRepository } from '../../dist/repo/index.js';
import { pruneRepository } from '../../dist/snapshot/index.js';

const { orders } = JSON.parse(readFileSync(0, 'utf8'));

/** Counts transactions; at the one of that number the process is as good as dead: it never comes back from there. */
let transactions = 0;
let last = Number.POSITIVE_INFINITY;
let when = 'before';
/** Once a transaction has killed it, it calls nobody any more. */
let isDead = false;
const { transact } = Database.prototype;
Database.prototype.transact = function (action) {
  if (this.inTransaction) return action();
  transactions++;
  if (transactions >= last) isDead = true;
  if (transactions > last) throw new Error('injected stop: long dead');
  if (transactions < last) return transact.call(this, action);
  if (when === 'after') transact.call(this, action);
  throw new Error(`injected stop at transaction ${last}`);
};

const timing = {
  clock: () => performance.now(),
  sleep: async () => undefined,
  timeToLiveMs: 600_000,
  pollMs: 10,
  heartbeatMs: 0,
};

for (const order of orders) {
  isDead = false;
  let faulty;
  let opening = Number.POSITIVE_INFINITY;
  const plan = (call) => {
    if (isDead) return { when: 'before', stop: true };
    return call.number === opening + order.call ? { when: order.when, stop: true } : undefined;
  };
  [transactions, last] = [0, Number.POSITIVE_INFINITY];
  const repository = await openRepository({
    location: order.repo,
    password: async () => Buffer.from('secret'),
    cacheRoot: order.cache,
    portable: false,
    host: 'here',
    now: () => Date.now() + 3_600_000,
    report: () => undefined,
    // The reserve is nothing that a dead process makes again.
    wrapBackend: (medium) => {
      faulty = withFaults({ ...forwardTo(medium), room: undefined }, plan);
      return faulty;
    },
  });
  opening = faulty.calls;
  [transactions, last, when] = [0, order.transaction ?? Number.POSITIVE_INFINITY, order.when];
  const run =
    order.forget === undefined
      ? pruneRepository(repository, {
          maxUnused: { fraction: 0 },
          wait: false,
          dryRun: false,
          signal: new AbortController().signal,
          timing,
          examine: (process) => isAlive(process, repository.identity),
        })
      : forgetSnapshot(repository, order.forget, 'tester', 1_000_000);
  const ended = await run.then(
    () => 'went on to its end',
    (error) => error.message,
  );
  process.stdout.write(`${JSON.stringify({ repo: order.repo, ended })}\n`);
}
process.kill(process.pid, 'SIGKILL');
