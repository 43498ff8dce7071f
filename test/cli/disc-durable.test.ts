import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { place } from './run.js';

/** What was appended to an image is durable before what was staged goes. */

/** Writes down in which order files are made durable and removed. */
const WATCH = `
  import fs from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const note = (what, path) => fs.appendFileSync(process.env.WATCH_LOG, what + ' ' + path + '\\n');
  const { open, rm, unlink } = fs.promises;
  fs.promises.open = async (path, ...more) => {
    const file = await open(path, ...more);
    const { sync } = file;
    file.sync = async () => {
      await sync.call(file);
      note('sync', path);
    };
    return file;
  };
  fs.promises.rm = (path, ...more) => (note('remove', path), rm(path, ...more));
  fs.promises.unlink = (path) => (note('remove', path), unlink(path));
  syncBuiltinESMExports();
`;

test('also when the run that appended it was ended before it was durable', async () => {
  const its = place();
  const folder = join(its.root, 'discs');
  const at = ['-r', `disc:${folder}`, '--no-progress'];
  const media = ['-r', `disc:${folder}?media=8MiB`, '--block-size', '1MiB', '--pack-size', '1MiB'];
  expect((await its.run(['init', '--no-encryption', ...media])).code).toBe(0);
  writeFileSync(join(its.source, 'file'), randomContent(1, 2_000_000));
  // Committed, and not appended.
  mkdirSync(join(its.root, 'bin'));
  writeFileSync(join(its.root, 'bin/xorriso'), '#!/bin/sh\nexit 5\n', { mode: 0o755 });
  const PATH = `${join(its.root, 'bin')}:${process.env.PATH}`;
  const failed = await its.run(['snapshot', its.source, ...at], { env: { PATH } });
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not, or not whole, on an image'),
  });
  expect((await its.json(['snapshots', ...at])).items).toHaveLength(1);
  const staged = join(folder, 'staging/objects/packs');
  const packs = readdirSync(staged, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.includes('/'),
  );
  expect(packs.length).toBeGreaterThan(1);
  cpSync(staged, join(its.root, 'kept'), { recursive: true });
  expect((await its.run(['snapshot', its.source, ...at])).code).toBe(0);
  // As if that run had been killed between xorriso's end and its own.
  cpSync(join(its.root, 'kept'), staged, { recursive: true });
  const log = join(its.root, 'log');
  writeFileSync(join(its.root, 'watch.mjs'), WATCH);
  const env = { NODE_OPTIONS: `--import ${join(its.root, 'watch.mjs')}`, WATCH_LOG: log };
  expect((await its.run(['snapshot', its.source, ...at], { env })).code).toBe(0);
  const lines = readFileSync(log, 'utf8').split('\n');
  const synced = lines.indexOf(`sync ${join(folder, 'CBR_REPOSITORY_0001.iso')}`);
  const removed = packs.map((path) => lines.indexOf(`remove ${join(staged, path)}`));
  expect(synced).toBeGreaterThan(-1);
  for (const each of removed) expect(each).toBeGreaterThan(synced);
});
