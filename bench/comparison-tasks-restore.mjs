/** Tasks of the comparison: getting things back. */

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';

/** Programs that restore full paths put the home folder below the target. */
const below = ({ home, path }, target) => path(`${target}${home}/work`);

const wholeIn = (folder) =>
  readFileSync(`${folder}/notes.txt`, 'utf8') === 'second draft\n' &&
  existsSync(`${folder}/letters/bert.txt`) &&
  lstatSync(`${folder}/photos/7.jpg`).size === 50_000;
const isWhole = (seen) => wholeIn(below(seen, 'restored'));
const isFirst = (file) => readFileSync(file, 'utf8') === 'first draft\n';
const isAnna = (file) => readFileSync(file, 'utf8') === 'Dear Anna\n';

/** The inode of `photos/7.jpg`: it is to stay the file that it is. */
let untouched;
function damage({ path }) {
  writeFileSync(path('work/letters/anna.txt'), 'Dear An\0\0');
  untouched = lstatSync(path('work/photos/7.jpg')).ino;
}
const isMended = ({ read }) => read('work/letters/anna.txt') === 'Dear Anna\n';
const isMendedAlone = (seen) => isMended(seen) && lstatSync(seen.path('work/photos/7.jpg')).ino === untouched;

const isPrinted = ({ output }) => output.endsWith('second draft\n');
const holdsLetters = ({ path }) => {
  const names = execFileSync('tar', ['-tf', path('letters.tar')], { encoding: 'utf8' });
  return names.includes('anna.txt') && names.includes('bert.txt');
};

/** @type {readonly import('./comparison-run.mjs').Task[]} */
export const RESTORE_TASKS = [
  {
    title: 'Restore everything',
    ways: {
      cbr: { steps: ['cbr restore latest --target ~/restored'], check: isWhole },
      restic: { steps: ['restic restore latest --target ~/restored'], check: isWhole },
      borg: { steps: ['mkdir ~/restored && cd ~/restored && borg extract ::work-2'], check: isWhole },
      dar: {
        steps: [
          'mkdir ~/restored && dar -x ~/backup/work-1 -R ~/restored',
          'dar -x ~/backup/work-2 -R ~/restored -w',
        ],
        check: ({ path }) => wholeIn(path('restored/work')),
        note: 'each archive since the last full one, in order',
      },
    },
  },
  {
    title: 'Restore one file',
    ways: {
      cbr: {
        steps: ['cbr restore latest:$HOME/work/letters/anna.txt --target ~/one'],
        check: ({ path }) => isAnna(path('one/anna.txt')),
      },
      restic: {
        steps: ['restic restore latest:$HOME/work/letters --include /anna.txt --target ~/one'],
        check: ({ path }) => isAnna(path('one/anna.txt')),
      },
      borg: {
        steps: [`mkdir ~/one && cd ~/one && borg extract ::work-2 \${HOME#/}/work/letters/anna.txt`],
        check: (seen) => isAnna(`${below(seen, 'one')}/letters/anna.txt`),
      },
      dar: {
        steps: ['mkdir ~/one && dar_manager -B ~/backup/db -e "-R $HOME/one" -r work/letters/anna.txt'],
        check: ({ path }) => isAnna(path('one/work/letters/anna.txt')),
      },
    },
  },
  {
    title: 'Restore a folder as it was yesterday',
    ways: {
      cbr: {
        steps: ['cbr restore --at yesterday :$HOME/work --target ~/yesterday'],
        check: ({ path }) => isFirst(path('yesterday/notes.txt')),
      },
      restic: {
        steps: ['restic restore $FIRST:$HOME/work --target ~/yesterday'],
        check: ({ path }) => isFirst(path('yesterday/notes.txt')),
        is: 'part',
        note: 'the snapshot is picked by eye: no option takes a time',
      },
      borg: {
        steps: ['mkdir ~/yesterday && cd ~/yesterday && borg extract ::work-1'],
        check: (seen) => isFirst(`${below(seen, 'yesterday')}/notes.txt`),
        is: 'part',
        note: 'the archive is picked by eye: no option takes a time',
      },
      dar: {
        steps: ['mkdir ~/yesterday && dar -x ~/backup/work-1 -R ~/yesterday'],
        check: ({ path }) => isFirst(path('yesterday/work/notes.txt')),
        is: 'part',
        note: 'the archive is picked by eye; `dar_manager -w DATE -r PATH` goes by when each file was changed',
      },
    },
  },
  {
    title: 'Restore over a damaged copy, replacing only what differs',
    before: damage,
    ways: {
      cbr: {
        steps: ['cbr restore latest:$HOME/work --target ~/work --overwrite if-changed'],
        check: isMendedAlone,
      },
      restic: {
        steps: ['restic restore latest:$HOME/work --target ~/work --overwrite if-changed'],
        check: isMendedAlone,
        note: 'its default, `always`, compares content too',
      },
      borg: {
        steps: [`cd / && borg extract ::work-2 \${HOME#/}/work`],
        check: isMended,
        is: 'part',
        note: 'every file is written anew',
      },
      dar: {
        steps: ['dar -x ~/backup/work-1 -R ~ -w', 'dar -x ~/backup/work-2 -R ~ -w'],
        check: isMended,
        is: 'part',
        note: 'every file is written anew, from each archive',
      },
    },
  },
  {
    title: 'Print a file to standard output',
    ways: {
      cbr: { steps: ['cbr dump latest:$HOME/work/notes.txt'], check: isPrinted },
      restic: { steps: ['restic dump latest $HOME/work/notes.txt'], check: isPrinted },
      borg: { steps: [`borg extract --stdout ::work-2 \${HOME#/}/work/notes.txt`], check: isPrinted },
      dar: {
        steps: [
          'mkdir ~/out && dar -x ~/backup/work-2 -R ~/out -g work/notes.txt',
          'cat ~/out/work/notes.txt',
        ],
        check: isPrinted,
        is: 'no',
        note: 'the nearest: restored, then printed',
      },
    },
  },
  {
    title: 'Get a folder as a tar file',
    ways: {
      cbr: {
        steps: ['cbr dump latest:$HOME/work/letters --format tar > letters.tar'],
        check: holdsLetters,
        note: 'also tar.zst and zip',
      },
      restic: {
        steps: ['restic dump latest $HOME/work/letters > letters.tar'],
        check: holdsLetters,
        note: 'also zip',
      },
      borg: {
        steps: [`borg export-tar ::work-2 letters.tar \${HOME#/}/work/letters`],
        check: holdsLetters,
        note: 'also compressed, by the name of the file; and `import-tar`',
      },
      dar: {
        steps: ['tar -C ~/restored/work -cf letters.tar letters'],
        check: holdsLetters,
        is: 'no',
        note: 'the nearest: restored, then packed',
      },
    },
  },
];
