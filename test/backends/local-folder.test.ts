import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLocalBackend, OBJECT_KINDS, openLocalBackend } from '../../dist/backends/index.js';
import { namesOf, rejection, scratchFolders } from './scratch.js';

describe('the folder of a local repository', () => {
  const newFolder = scratchFolders();

  test('is made with its parents, for its owner only, and can be opened', async () => {
    const root = join(await newFolder(), 'some/where/else');
    const made = await createLocalBackend(root);
    expect(made.location).toBe(root);
    expect((await readdir(root)).sort()).toEqual([...OBJECT_KINDS, 'tmp'].sort());
    expect((await stat(root)).mode & 0o7777).toBe(0o700);
    await made.write('config', '0', Buffer.from('config'));
    const opened = await openLocalBackend(root);
    expect(opened.capabilities).toEqual({ createOnly: true, writable: true, removable: true });
    expect(await namesOf(opened, 'config')).toEqual(['0']);
  });

  test('may be an empty folder, a fresh disk, or what an interrupted init left', async () => {
    const root = await newFolder();
    await mkdir(join(root, 'lost+found'));
    await mkdir(join(root, 'packs'));
    expect(await rejection(openLocalBackend(root))).toMatchObject({ code: 'not-a-repository' });
    await createLocalBackend(root);
    await createLocalBackend(root);
    await openLocalBackend(root);
  });

  test('is not made where a repository is', async () => {
    const root = await newFolder();
    await (await createLocalBackend(root)).write('config', '0', Buffer.from('config'));
    expect(await rejection(createLocalBackend(root))).toMatchObject({ code: 'repository-exists' });
    expect(await namesOf(await openLocalBackend(root), 'config')).toEqual(['0']);
  });

  test('is not made, nor opened, where something else is', async () => {
    const root = await newFolder();
    await writeFile(join(root, 'letter.txt'), 'dear');
    await writeFile(join(root, 'config'), 'a file, as in .git');
    for (const call of [createLocalBackend, openLocalBackend]) {
      const error = await rejection(call(root));
      expect(error).toMatchObject({ code: 'not-a-repository', hint: expect.any(String) });
      expect((error as Error).message).toContain('letter.txt');
      expect(await rejection(call(join(root, 'letter.txt')))).toMatchObject({ code: 'not-a-repository' });
    }
    expect((await readdir(root)).sort()).toEqual(['config', 'letter.txt']);
  });

  test('is not made where objects lie whose config is lost', async () => {
    const root = await newFolder();
    await (await createLocalBackend(root)).write('packs', 'aabb', Buffer.from('pack'));
    const error = await rejection(createLocalBackend(root));
    expect(error).toMatchObject({ code: 'not-a-repository' });
    expect((error as Error).message).toContain('packs');
  });

  test('is not found where there is none', async () => {
    const root = await newFolder();
    await writeFile(join(root, 'file'), 'x');
    await mkdir(join(root, 'empty'));
    for (const path of ['absent', 'empty', 'file/below']) {
      expect(await rejection(openLocalBackend(join(root, path))), path).toMatchObject({
        code: 'no-repository',
        hint: expect.any(String),
      });
    }
    expect((await readdir(root)).sort()).toEqual(['empty', 'file']);
  });
});
