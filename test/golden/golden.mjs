import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { NO_RULES } from '../../dist/fs/index.js';
import { beginSession, openRepository } from '../../dist/repo/index.js';
import { annotateSnapshot, listSnapshots, pruneRepository, takeSnapshot } from '../../dist/snapshot/index.js';
import { factsOf } from './facts.mjs';
import { GONE } from './sources.mjs';

const CBR = join(import.meta.dirname, '../../bin/cbr.js');
const INCOMPLETE = 3;
export const PASSWORDS = ['golden', 'zweites Paßwort'];

/** One repository being made. */
export class Golden {
  constructor({ name, encrypted, init }) {
    Object.assign(this, { name, encrypted, init });
    this.folder = `/srv/${name}`;
    this.cache = `/srv/cache of ${name}`;
    this.trees = {};
    this.last = undefined;
  }

  /** Runs the built program; its last line of JSON. */
  cbr(...args) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [CBR, ...args, '--json'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      env: {
        PATH: process.env.PATH,
        HOME: '/srv',
        TZ: 'UTC',
        CBR_REPO: this.folder,
        CBR_CACHE_DIR: this.cache,
        ...(this.encrypted ? { CBR_PASSWORD: PASSWORDS[0] } : {}),
      },
    });
    const expected = args.includes(GONE) ? INCOMPLETE : 0;
    if (status !== expected)
      throw new Error(`cbr ${args.join(' ')}: ${status}\n${stdout.slice(-2000)}${stderr}`);
    const lines = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    return { summary: lines.at(-1), items: lines.filter(({ type }) => type === 'item') };
  }

  async use(action, changes = {}) {
    const repository = await openRepository({
      location: this.folder,
      password: async () => Buffer.from(PASSWORDS[0]),
      cacheRoot: this.cache,
      portable: false,
      host: 'golden',
      now: () => Date.now(),
      report: () => undefined,
      ...changes,
    });
    try {
      return await action(repository);
    } finally {
      await repository.close();
    }
  }

  /** Takes a snapshot and keeps what it has to hold, told as a difference to the one before. Returns its id. */
  take(paths, ...flags) {
    const facts = factsOf('/', paths);
    const { summary } = this.cbr('snapshot', ...paths, ...flags);
    const like = this.last;
    const isSame = (path) => JSON.stringify(like?.facts[path]) === JSON.stringify(facts[path]);
    this.trees[summary.snapshot] = {
      ...(like === undefined
        ? {}
        : { like: like.id, without: Object.keys(like.facts).filter((path) => facts[path] === undefined) }),
      entries: Object.fromEntries(Object.entries(facts).filter(([path]) => !isSame(path))),
    };
    this.last = { id: summary.snapshot, facts };
    return summary.snapshot;
  }

  /** A session that stores everything, fails at its commit, and ends by a fence. */
  async takeInVain(paths) {
    let isFirst = true;
    const wrapBackend = (medium) =>
      new Proxy(medium, {
        get: (target, member) => {
          const value = Reflect.get(target, member, target);
          if (typeof value !== 'function') return value;
          return (...args) => {
            if (member !== 'write' || args[0] !== 'snapshots' || !isFirst) return value.apply(target, args);
            isFirst = false;
            throw new Error('not to be');
          };
        },
      });
    const options = {
      paths,
      tags: [],
      host: 'golden',
      user: 'root',
      zoneOffset: 0,
      rules: NO_RULES,
      oneFileSystem: false,
      dryRun: false,
      forecast: false,
      threads: 1,
      items: false,
      ownFolders: [],
      signal: new AbortController().signal,
    };
    const taken = this.use((repository) => takeSnapshot(repository, options, () => undefined), {
      wrapBackend,
    });
    const failed = await taken.then(
      () => false,
      ({ message }) => message === 'not to be',
    );
    if (!failed) throw new Error('the session that was to fail did not, or otherwise');
  }

  annotate(id, change, time) {
    return this.use(async (repository) => {
      const { snapshots } = await listSnapshots(repository);
      const snapshot = snapshots.find((each) => each.id === id);
      await annotateSnapshot(repository, snapshot, change, 'ann@golden', time);
    });
  }

  /** A prune that has to leave its mark, since a session runs that then ends without anything. */
  pruneBesideSession() {
    return this.use(async (repository) => {
      const session = await beginSession(repository);
      const summary = await pruneRepository(repository, {
        maxUnused: { bytes: 0 },
        wait: false,
        dryRun: false,
        signal: new AbortController().signal,
        timing: {
          clock: () => performance.now(),
          sleep: async () => undefined,
          timeToLiveMs: 1e9,
          pollMs: 1,
          heartbeatMs: 0,
        },
        examine: () => 'alive',
      });
      await session.abort([]);
      if (summary.state !== 'pending') throw new Error(JSON.stringify(summary));
    });
  }
}
