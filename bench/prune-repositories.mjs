/** Repositories with a long history: made once, and copied for every measurement. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { corpus, measureFolder } from './corpora.mjs';
import { measure } from './measure.mjs';
import { changeFiles, filesBelow } from './prune-changes.mjs';
import { figure } from './text.mjs';

/** How many of the files change from one snapshot to the next. */
export const CHANGED_PART = 0.02;

/**
 * @typedef {import('./tools.mjs').Tool} Tool
 * @typedef {{snapshots: number, files: number | undefined}} Scale files: of so many files of the corpus instead of all
 * @typedef {{folder: string, files: number, bytes: number}} Kept what one source held at the last snapshot
 */

/**
 * The repositories of all tools, each with the same snapshots of the same states: made if they are not there yet. They are
 * made where `usedCopy` puts their copies: caches know a repository by its place.
 * @param {string} cache @param {readonly Tool[]} tools @param {Scale} scale @returns {Promise<Kept>}
 */
export async function keptRepositories(cache, tools, { snapshots, files }) {
  const folder = join(cache, 'prune', `tree-${files ?? 'all'}-${snapshots}`);
  const notes = join(folder, `${tools.map(({ name }) => name).join('-')}.json`);
  if (!existsSync(notes)) {
    console.log(`making repositories of ${snapshots} snapshots in ${folder}`);
    rmSync(folder, { recursive: true, force: true });
    const source = join(folder, 'source');
    copySource(corpus(cache, 'tree').path, source, files);
    const running = tools.map((tool) => {
      const place = placeOf(folder, tool);
      mkdirSync(place, { recursive: true });
      return { tool, commands: tool.commands(place, source) };
    });
    for (const { commands } of running) await measure(commands.init);
    for (let number = 1; number <= snapshots; number++) {
      if (number > 1) changeFiles(source, { part: CHANGED_PART, seed: number });
      const times = [];
      for (const { tool, commands } of running) {
        const { seconds } = await measure(commands.snapshot(String(number)));
        times.push(`${tool.name} ${figure(seconds)} s`);
      }
      console.log(`snapshot ${number}: ${times.join(', ')}`);
    }
    const last = measureFolder(source);
    rmSync(source, { recursive: true });
    renameSync(join(folder, 'live'), join(folder, 'kept'));
    writeFileSync(`${notes}.new`, JSON.stringify(last));
    renameSync(`${notes}.new`, notes);
  }
  return { folder, ...JSON.parse(readFileSync(notes, 'utf8')) };
}

/** A fresh copy of a tool's repository and cache, to be used up. @param {Kept} kept @param {Tool} tool */
export function usedCopy({ folder }, tool) {
  const place = placeOf(folder, tool);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(join(place, '..'), { recursive: true });
  execFileSync('cp', ['-a', join(folder, 'kept', tool.name), place]);
  return { place, commands: tool.commands(place, join(folder, 'source')) };
}

/** @param {string} folder @param {Tool} tool */
function placeOf(folder, tool) {
  return join(folder, 'live', tool.name);
}

/** @param {string} from @param {string} to @param {number | undefined} files */
function copySource(from, to, files) {
  mkdirSync(to, { recursive: true });
  if (files === undefined) {
    execFileSync('cp', ['-a', `${from}/.`, to]);
    return;
  }
  // Every nth, so that the folders are as many for the files as in the whole.
  const all = filesBelow(from).map((path) => relative(from, path));
  const step = Math.max(1, Math.floor(all.length / files));
  const names = all.filter((_, i) => i % step === 0).slice(0, files);
  const packed = execFileSync('tar', ['--null', '-T', '-', '-cf', '-'], {
    cwd: from,
    input: names.join('\0'),
    maxBuffer: 2 ** 31,
  });
  execFileSync('tar', ['-xpf', '-'], { cwd: to, input: packed });
}
