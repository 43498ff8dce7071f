/**
 * The comparison of everyday tasks: runs each task with cbr and every peer that is installed, as a user would type it, checks what
 * became of it, and writes docs/comparison.md.
 *
 *   npm run comparison -- [--only cbr,restic] [--out FILE]
 *
 * Exits with 1 when a command of cbr does not do what the page says, and tells which.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CBR } from './cbr-json.mjs';
import { comparisonPage } from './comparison-page.mjs';
import { runTasks } from './comparison-run.mjs';
import { TASKS } from './comparison-tasks.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'cbr,restic,borg,dar' },
    out: { type: 'string', default: fileURLToPath(new URL('../docs/comparison.md', import.meta.url)) },
  },
});

/** Where a peer is: in the PATH, or /opt/peers. @param {string} name */
function locate(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/opt/peers/usr/bin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

const VERSION = /\d+(?:\.\d+)+/;

/**
 * A tool, or undefined when it is not installed.
 * @param {string} name @returns {import('./comparison-run.mjs').ToolPlace | undefined}
 */
function tool(name) {
  const file = name === 'cbr' ? CBR : locate(name);
  if (file === undefined) return undefined;
  const runs = name === 'cbr' ? [process.execPath, file] : [file];
  const asked = name === 'restic' ? 'version' : '--version';
  const said = execFileSync(runs[0], [...runs.slice(1), asked], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return { name, runs, version: VERSION.exec(said)?.[0] ?? '?' };
}

const results = new Map();
const versions = new Map();
for (const name of options.only.split(',')) {
  const found = tool(name);
  if (found === undefined) {
    console.log(`${name} is not installed: the page tells what it would be`);
    continue;
  }
  versions.set(name, found.version);
  console.log(`${name} ${found.version}`);
  results.set(
    name,
    runTasks(found, TASKS, (line) => console.log(`  ${line}`)),
  );
}
writeFileSync(options.out, comparisonPage(TASKS, results, versions));
console.log(`Wrote ${options.out}`);
const failures = [...(results.get('cbr') ?? [])].filter(({ fault }) => fault !== undefined);
for (const { fault, title } of failures) console.error(`cbr: ${title}: ${fault}`);
if (failures.length > 0) process.exitCode = 1;
