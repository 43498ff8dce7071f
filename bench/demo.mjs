/**
 * The demonstration: two snapshots of this very checkout, node_modules included, with real changes in between, into an
 * encrypted repository in a temporary place; then both are restored and compared with what the source held at their time.
 * Exits 1 on any difference.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CBR, restoreFigures, runCbr, snapshotFigures } from './cbr-json.mjs';
import { makeChanges } from './changes.mjs';
import { differences, manifestOf } from './manifest.mjs';
import { columns, countText, figure, sizeText } from './text.mjs';

const MOST_SHOWN = 20;

const checkout = fileURLToPath(new URL('..', import.meta.url));
const place = realpathSync(mkdtempSync(join(tmpdir(), 'cbr-demo-')));
const source = join(place, 'source');
const env = {
  ...process.env,
  CBR_REPO: join(place, 'repository'),
  CBR_CACHE_DIR: join(place, 'cache'),
  CBR_PASSWORD: randomBytes(16).toString('hex'),
};
delete env.CBR_PASSWORD_FILE;

const rows = [['', 'files', 'bytes', 'new', 'stored', 'dedup.', 'compr.', 'seconds', 'MB/s']];
const total = { files: 0, sourceBytes: 0, newBytes: 0, storedBytes: 0, seconds: 0 };

/** @param {string} name @param {typeof total} figures */
function addSnapshotRow(name, { files, sourceBytes, newBytes, storedBytes, seconds }) {
  rows.push([
    name,
    countText(files),
    sizeText(sourceBytes),
    sizeText(newBytes),
    sizeText(storedBytes),
    figure(sourceBytes / newBytes),
    figure(newBytes / storedBytes),
    figure(seconds),
    figure(sourceBytes / seconds / 1e6),
  ]);
}

/** Takes a snapshot, adds its row, and returns its id. @param {string} name */
function takeSnapshot(name) {
  const { summary, seconds } = runCbr(['snapshot', source], env);
  const { snapshot, problems, ...found } = snapshotFigures(summary);
  if (problems > 0) throw new Error(`${name}: ${problems} problems: ${JSON.stringify(summary)}`);
  const figures = { ...found, seconds };
  addSnapshotRow(name, figures);
  for (const key of Object.keys(total)) total[key] += figures[key];
  console.log(`${name}: ${snapshot}`);
  return snapshot;
}

/**
 * Restores a snapshot, adds its row, and returns how many differences there are.
 * @param {string} name @param {string} snapshot @param {ReturnType<typeof manifestOf>} expected
 */
function restoreAndCompare(name, snapshot, expected) {
  const target = join(place, name.replaceAll(' ', '-'));
  const { summary, seconds } = runCbr(['restore', `${snapshot}:${source}`, '--target', target], env);
  const { files, restoredBytes } = restoreFigures(summary);
  const rate = figure(restoredBytes / seconds / 1e6);
  rows.push([name, countText(files), sizeText(restoredBytes), '', '', '', '', figure(seconds), rate]);
  const found = differences(expected, manifestOf(target));
  console.log(`${name}: ${countText(expected.size)} entries compared, ${found.length} differences`);
  for (const sentence of found.slice(0, MOST_SHOWN)) console.log(`  ${sentence}`);
  rmSync(target, { recursive: true });
  return found.length;
}

function demonstrate() {
  console.log(`Copying ${checkout} to ${source}`);
  execFileSync('cp', ['-a', checkout, source]);
  const state1 = manifestOf(source);

  runCbr(['init'], env);
  const snapshot1 = takeSnapshot('snapshot 1');
  for (const change of makeChanges(source, state1)) console.log(`  ${change}`);
  const state2 = manifestOf(source);
  const snapshot2 = takeSnapshot('snapshot 2');
  addSnapshotRow('together', total);

  console.log('\n$ cbr snapshots');
  const listed = spawnSync(process.execPath, [CBR, 'snapshots'], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (listed.status !== 0) throw new Error(`cbr snapshots: exit code ${listed.status}`);
  const { items } = runCbr(['snapshots'], env);
  if (items.length !== 2) throw new Error(`two snapshots expected, ${items.length} listed`);

  console.log();
  const count =
    restoreAndCompare('restore 1', snapshot1, state1) + restoreAndCompare('restore 2', snapshot2, state2);
  console.log(`\n${columns(rows)}\n`);
  const changed = differences(state1, state2).length;
  if (changed === 0) throw new Error('the two states do not differ: nothing was shown');
  console.log(
    count === 0
      ? 'Both snapshots came back whole: contents, types, modes, owners, times, links.'
      : `${count} differences between what was stored and what came back.`,
  );
  return count === 0;
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    rmSync(place, { recursive: true, force: true });
    process.exit(130);
  });
}
try {
  if (!existsSync(fileURLToPath(new URL('../dist/program/main.js', import.meta.url)))) {
    throw new Error('cbr is not built: run npm ci, or npm run build');
  }
  process.exitCode = demonstrate() ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
