/** Counts what each step asks of an object store. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newBucket } from '../test/servers/store-servers.mjs';
import { measure } from './measure.mjs';
import { storeTools } from './object-store-tools.mjs';
import { sizeText } from './text.mjs';

/**
 * The lines of a table.
 * @param {{gateway: import('../test/servers/store-servers.mjs').StoreServer, proxy: import('../test/servers/store-proxy.mjs').StoreProxy,
 *   source: {path: string}, work: string}} where
 */
export async function countSteps({ gateway, proxy, source, work }) {
  // A copy, because it is changed between the snapshots.
  const copy = join(work, 'source');
  /** @type {Map<string, Record<string, string>>} */
  const rows = new Map();
  for (const tool of storeTools()) {
    rmSync(copy, { recursive: true, force: true });
    cpSync(source.path, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    const place = mkdtempSync(join(work, `${tool.name}-`));
    const its = tool.commands({
      endpoint: proxy.endpoint,
      bucket: await newBucket(gateway),
      key: gateway.owner,
      place,
    });
    /** @param {string} step @param {import('./measure.mjs').Command} command */
    const counted = async (step, command) => {
      proxy.resetCounts();
      await measure(command);
      const { requests, bytesUp, bytesDown, operations } = proxy.counts;
      const each = Object.entries(operations).map(([name, { requests: count }]) => `${name} ${count}`);
      console.log(`${tool.name} ${step}: ${requests} requests: ${each.join(', ')}`);
      const row = rows.get(step) ?? {};
      row[tool.name] = `${requests} | ${sizeText(bytesUp)} | ${sizeText(bytesDown)}`;
      rows.set(step, row);
    };
    const target = mkdtempSync('/dev/shm/cbr-bench-');
    const into = (/** @type {string} */ name) => {
      const folder = join(target, name);
      mkdirSync(folder);
      return folder;
    };
    try {
      await counted('init', its.init);
      await counted('first snapshot', its.snapshot(copy));
      await counted('unchanged snapshot', its.snapshot(copy));
      writeFileSync(join(copy, 'added'), 'one file more\n');
      await counted('snapshot, one file more', its.snapshot(copy));
      await counted('snapshots', its.snapshots);
      await counted('check', its.check);
      await counted('restore of one file', its.restoreOne(largeFile(copy), into('one')));
      await counted('restore of all', its.restore(into('all')));
      rmSync(join(place, 'cache'), { recursive: true, force: true });
      await counted('restore of all, new machine', its.restore(into('new')));
      for (const name of readdirSync(copy).slice(0, 5)) rmSync(join(copy, name), { recursive: true });
      await counted('snapshot, half removed', its.snapshot(copy));
      await counted('forget all but the last', its.forget);
      await counted('prune', its.prune);
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }
  return [
    '| step | cbr: requests | up | down | restic: requests | up | down |',
    '|---|---|---|---|---|---|---|',
    ...[...rows].map(([step, row]) => `| ${step} | ${row.cbr} | ${row.restic} |`),
  ];
}

/** The path of the largest file. @param {string} folder */
function largeFile(folder) {
  let found = { path: '', size: -1 };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const { size } = statSync(path);
    if (size > found.size) found = { path, size };
  }
  return found.path;
}
