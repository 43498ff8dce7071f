import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runScript } from '../snapshot/source-tree.js';
import { CBR } from './child.js';
import { snapshotId } from './filled.js';
import { plainPlace, quoted } from './run.js';

/** A restore by somebody who is not root, into folders of his own. */

test.runIf(process.getuid?.() === 0)(
  'an owner needs no rights in his folders, and what he cannot look into stays',
  async () => {
    const its = await plainPlace();
    mkdirSync(join(its.source, 'folder'));
    for (const name of ['a', 'folder/b']) writeFileSync(join(its.source, name), name);
    runScript(its.source, ['chmod 555 folder .']);
    await snapshotId(its);
    runScript(its.root, ['chmod -R a+rX repo', 'chmod 755 . home']);
    mkdirSync(join(its.home, 'out'));
    runScript(its.home, ['chown 65534:65534 out']);
    const program = `setpriv --reuid 65534 --regid 65534 --clear-groups ${quoted(process.execPath)} ${quoted(CBR)}`;
    const asOther = (...args: readonly string[]) => {
      const from = ['restore', `latest:${its.source}`, '--target', join(its.home, 'out')];
      const all = [...from, '--no-owner', '--overwrite', 'if-changed', ...args];
      const env = { CBR_CACHE_DIR: join(its.root, 'no/such/folder') };
      return its.shell(`${program} ${all.map(quoted).join(' ')}`, { env });
    };
    expect(await asOther()).toMatchObject({ code: 0 });
    runScript(join(its.home, 'out'), [
      'mkdir extra closed closed/in && touch folder/gone extra/x && echo other > folder/b && rm a',
      'chown -R 65534 extra folder && chmod 555 extra && chmod 700 closed',
    ]);
    const again = await asOther('--delete', '--yes');
    expect(again).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/closed.*cannot be looked into, and is kept/),
    });
    expect(readdirSync(join(its.home, 'out')).sort()).toEqual(['a', 'closed', 'folder']);
    expect(readdirSync(join(its.home, 'out/folder'))).toEqual(['b']);
    expect(readFileSync(join(its.home, 'out/folder/b'), 'utf8')).toBe('folder/b');
    for (const name of ['.', 'folder'])
      expect(statSync(join(its.home, 'out', name)).mode & 0o777).toBe(0o555);
    // Left alone, it keeps the rights that it has.
    runScript(join(its.home, 'out'), ['rm folder/b', 'chmod 277 folder']);
    expect(await asOther('--overwrite', 'never', '--dry-run')).toMatchObject({ code: 0 });
    const kept = await asOther('--overwrite', 'never');
    expect(kept).toMatchObject({ code: 0 });
    expect(readdirSync(join(its.home, 'out/folder'))).toEqual(['b']);
    expect(statSync(join(its.home, 'out/folder')).mode & 0o777).toBe(0o277);
  },
);
