import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { discText } from '../../restore/catalog.js';
import { Fields } from '../../restore/fields.js';
import { Keys } from '../../restore/keys.js';
import { decode } from '../../restore/msgpack.js';
import { openPlain } from '../../restore/object.js';
import { scratchRepository } from '../snapshot/scratch-repository.js';
import { runScript } from '../snapshot/source-tree.js';
import { idOf, packPath, spread, spreadOver } from './disc-folders.js';
import { Drive, put, restoring } from './drive.js';
import { differences, read } from './reader.js';

/** Discs that somebody made who has seen one of ours, but has no key. */

const SECRET = { CBR_PASSWORD: 'secret' };

/** A repository without encryption takes the id of another one, before anything is stored in it. */
function takeId(repo: string, id: string): void {
  const path = join(repo, 'config/1');
  const object = readFileSync(path);
  // These are parts of the object, not copies.
  const fields = new Fields(decode(openPlain('config', object)), ['config', 'mac'], 'a config');
  const config = fields.bytes('config', 0, 65_536);
  config.set(Buffer.from(id, 'hex'), config.indexOf(Buffer.from(idOf(repo), 'hex')));
  fields.bytes('mac', 32).set(new Keys(Buffer.from(id, 'hex'), undefined).configMac('config/1', config));
  object.set(createHash('sha256').update(object.subarray(0, -32)).digest(), object.length - 32);
  writeFileSync(path, object);
}

/** Two encrypted discs, and one of a forger under the same id, which holds other content under the same path. */
async function withForged() {
  const made = await spread(2, { encrypted: true });
  const forger = await scratchRepository({ encrypted: false });
  takeId(forger.repo, idOf(made.its.repo));
  mkdirSync(join(forger.root, 'fresh'));
  writeFileSync(join(forger.source, 'large'), 'forged');
  await forger.take({}, { cacheRoot: join(forger.root, 'fresh') });
  const { folders } = spreadOver(forger, 1, { first: 7 });
  const forged = join(made.its.root, 'a-forged-disc');
  cpSync(folders[0]!, forged, { recursive: true });
  return { made, forger, forged };
}

test('a forged disc without encryption is left out, wherever it stands among those that are encrypted', async () => {
  const { made, forged } = await withForged();
  for (const discs of [
    [forged, ...made.folders],
    [...made.folders, forged],
  ]) {
    const target = made.its.newTarget();
    const args = ['restore', `latest:${made.its.source}`, '--target', target, '--discs', ...discs];
    const { code, stderr } = await read(args, { env: SECRET });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`left out: ${forged} says that the repository is not encrypted`);
    expect(differences(made.its.source, target)).toEqual([]);
  }
});

test('a forged disc that comes into reach later is left out', async () => {
  const { made, forged } = await withForged();
  const drive = new Drive({ ...made, folders: [...made.folders, forged] });
  drive.put(1);
  const steps = [{ when: 'Password: ', type: 'secret\n' }, put(drive, 3), put(drive, 2)];
  const { code, screen, target } = await restoring(made, drive, steps);
  expect(code, screen).toBe(0);
  expect(screen).toContain('says that the repository is not encrypted, and other discs say the opposite');
  expect(differences(made.its.source, target)).toEqual([]);
});

test('a forged disc alone: whoever gave a password is warned', async () => {
  const { forged } = await withForged();
  const given = await read(['list', '--discs', forged], { env: SECRET });
  expect(given).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('Warning: the password is not needed'),
  });
  expect((await read(['list', '--discs', forged])).stderr).toBe('');
});

test('a config and a key of a forger under the names of ours: the right copies count', async () => {
  const { its, folders } = await spread(1, { encrypted: true });
  const other = await spread(1, { encrypted: true });
  const forged = join(its.root, 'a-forged-disc');
  cpSync(folders[0]!, forged, { recursive: true });
  const id = Buffer.from(idOf(its.repo), 'hex');
  const config = readFileSync(join(other.its.repo, 'config/1'));
  config.set(id, config.indexOf('repository') + 'repository'.length + 2);
  config.set(createHash('sha256').update(config.subarray(0, -32)).digest(), config.length - 32);
  writeFileSync(join(forged, 'config/1'), config);
  const keyOf = (repo: string): string => join(repo, 'keys', readdirSync(join(repo, 'keys'))[0]!);
  cpSync(keyOf(other.its.repo), keyOf(forged));
  const { code, stderr } = await read(['list', '--discs', forged, folders[0]!], { env: SECRET });
  expect(code, stderr).toBe(0);
});

test('what a disc says of itself does not steer the terminal', async () => {
  const { its, folders } = await spread(2);
  const path = join(folders[0]!, 'disc.json');
  const label = readFileSync(path, 'utf8');
  for (const [word, forged] of [
    ['"photos"', '"\\u001b]0;photos\\u0007"'],
    ['"CBR_PHOTOS_0002"', '"\\u009b2J"'],
  ] as const) {
    expect(label).toContain(word);
    writeFileSync(path, label.replaceAll(word, forged));
    const args = ['restore', 'latest', '--target', its.newTarget(), '--discs', folders[0]!];
    const { stdout, stderr } = await read(args);
    expect(stderr).toContain('its disc.json has a text that is not right');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
  const disc = { id: '', number: 1, set: '\u001b[2J', volume: '\u202e' };
  expect(discText(disc)).toBe('disc 1 of the set \\x1b[2J (\\x202e)');
});

test('fifos under the names of files are not waited for', async () => {
  const { its, folders, packs } = await spread(1);
  const [folder] = folders;
  const name = packs[0]![0]!;
  rmSync(join(folder!, packPath(name)));
  runScript(its.root, [
    `mkfifo '${join(folder!, packPath(name))}'`,
    'mkdir beside beside/one',
    'mkfifo beside/one/disc.json beside/two',
  ]);
  const { code, stderr } = await read(['list', '--discs', folder!], { cwd: join(its.root, 'beside') });
  expect(code, stderr).toBe(0);
  const args = ['restore', 'latest', '--target', its.newTarget(), '--discs', folder!];
  const run = await read(args);
  expect(run.code, run.stderr).toBe(4);
  expect(run.stderr).toContain(`pack ${name}: it cannot be read: it is no file (`);
});
