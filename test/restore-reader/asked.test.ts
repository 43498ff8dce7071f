import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { missingFiles } from '../snapshot/check-subject.js';
import { lostWithout, spread } from './disc-folders.js';
import { ASKED, Drive, put, restoring } from './drive.js';
import { differences, readOnTerminal, type Step } from './reader.js';

/** On a terminal the reader asks for discs, one at a time. */

describe('one drive', () => {
  test.each(['every', 'last'] as const)(
    'is given disc after disc; trees are on the %s one',
    async (trees) => {
      const made = await spread(3, { trees });
      const drive = new Drive(made);
      drive.put(3);
      const { code, screen, target } = await restoring(made, drive, [put(drive, 1), put(drive, 2)]);
      expect(code, screen).toBe(0);
      expect(screen.match(/Disc \d of the set photos/g)).toEqual([
        'Disc 1 of the set photos',
        'Disc 2 of the set photos',
      ]);
      expect(differences(made.its.source, target)).toEqual([]);
      expect(readdirSync(target).filter((name) => name.startsWith('.cbr'))).toEqual([]);
    },
  );

  test('asks for the disc with the trees first, if that is not there', async () => {
    const made = await spread(3, { trees: 'last' });
    const drive = new Drive(made);
    drive.put(1);
    const { code, screen, target } = await restoring(made, drive, [
      put(drive, 3),
      put(drive, 2),
      put(drive, 1),
    ]);
    expect(code, screen).toBe(0);
    expect(screen).toMatch(
      /Disc 3 of the set photos \(CBR_PHOTOS_0003\) is needed to know where the rest lies/,
    );
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('goes on without a disc: its files are listed at the end', async () => {
    const made = await spread(3);
    const drive = new Drive(made);
    drive.put(1);
    const skip: Step = { when: ASKED, type: 's\n' };
    const { code, screen, target } = await restoring(made, drive, [skip, put(drive, 3)]);
    expect(code, screen).toBe(4);
    const expected = await lostWithout(made.its, made.packs[1]!);
    expect(missingFiles(made.its.source, target)).toEqual(expected);
    expect(screen).toContain(`(${expected.length} entries)`);
    const which = 'disc 2 of the set photos (CBR_PHOTOS_0002), which is not in reach';
    const lines = [
      `  it lies on ${which} (${expected.length} entries):`,
      ...expected.map((path) => `    ${path}`),
    ];
    expect(screen.replaceAll('\r', '')).toContain(lines.join('\n'));
    expect(readdirSync(target).filter((name) => name.startsWith('.cbr'))).toEqual([]);
  });

  test('takes another disc than it asked for, and asks again', async () => {
    const made = await spread(3);
    const drive = new Drive(made);
    drive.put(1);
    const steps = [put(drive, 3), put(drive, 2)];
    const { code, screen, target } = await restoring(made, drive, steps);
    expect(code, screen).toBe(0);
    expect(screen).toContain('Not yet: disc 3 of the set photos (CBR_PHOTOS_0003) is in reach.');
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('says when the disc that was put in is of another repository', async () => {
    const made = await spread(2);
    const foreign = await spread(1);
    const drive = new Drive(made);
    drive.put(1);
    const wrong: Step = { when: ASKED, act: () => drive.putOther(foreign.folders[0]!), type: '\n' };
    const { code, screen, target } = await restoring(made, drive, [wrong, put(drive, 2)]);
    expect(code, screen).toBe(0);
    expect(screen.replaceAll('\r', '')).toContain(
      `Not yet: no disc is in reach.\n${drive.folder} is of another repository.\n`,
    );
    expect(differences(made.its.source, target)).toEqual([]);
  });

  test('ends by Control-C, and leaves nothing half done', async () => {
    const made = await spread(2);
    const drive = new Drive(made);
    drive.put(1);
    const { code, target, screen } = await restoring(made, drive, [{ when: ASKED, type: '\u0003' }]);
    expect(code, screen).toBe(130);
    expect(existsSync(target)).toBe(true);
    expect(readdirSync(target).filter((name) => name.startsWith('.cbr'))).toEqual([]);
    // Some of the files were on the disc that was there.
    expect(screen).toMatch(/Restored to .*: [1-9]\d* files?/);
  });
});

test('fifteen questions, and a folder for temporary files that is not there', async () => {
  const made = await spread(2);
  const drive = new Drive(made);
  drive.put(1);
  const again = Array.from({ length: 14 }, () => put(drive, 1));
  const env = { TMPDIR: '/nonexistent' };
  const { code, screen, target } = await restoring(made, drive, [...again, put(drive, 2)], env);
  expect(code, screen).toBe(0);
  expect(screen).not.toMatch(/MaxListeners|nonexistent/);
  expect(differences(made.its.source, target)).toEqual([]);
});

describe('the password', () => {
  test('is asked for without an echo', async () => {
    const { its, folders } = await spread(1, { encrypted: true });
    const args = ['list', '--discs', folders[0]!];
    const { code, screen } = await readOnTerminal(args, [{ when: 'Password: ', type: 'secrex\u007ft\n' }]);
    expect(code, screen).toBe(0);
    expect(screen).toContain('1 snapshot');
    expect(screen).not.toContain('secre');
    expect(screen).toContain(its.source);
  });

  test('is what is typed: arrows and other keys are no part of it', async () => {
    const { folders } = await spread(1, { encrypted: true });
    const args = ['list', '--discs', folders[0]!];
    const type = 'sec\u001b[A\u001bOP\u001b[3~\u001b[1;5Cret\t\n';
    const { code, screen } = await readOnTerminal(args, [{ when: 'Password: ', type }]);
    expect(code, screen).toBe(0);
  });

  test('that is wrong, and Control-C instead of one', async () => {
    const { folders } = await spread(1, { encrypted: true });
    const args = ['list', '--discs', folders[0]!];
    const wrong = await readOnTerminal(args, [{ when: 'Password: ', type: 'guess\n' }]);
    expect(wrong).toMatchObject({ code: 12, screen: expect.stringContaining('wrong password') });
    const none = await readOnTerminal(args, [{ when: 'Password: ', type: '\u0003' }]);
    expect(none).toMatchObject({ code: 130, screen: expect.stringContaining('interrupted') });
  });
});
