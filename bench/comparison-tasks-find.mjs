/** Tasks of the comparison: looking at what is there. */

const listsBoth = ({ output }) => output.includes('work-1') && output.includes('work-2');
const listsAnna = ({ output }) => output.includes('letters/anna.txt') && output.includes('photos/7.jpg');
const tellsChanges = ({ output }) =>
  output.includes('notes.txt') &&
  output.includes('bert.txt') &&
  output.includes('0.jpg') &&
  !output.includes('anna.txt');
const countOf = (text, part) => text.split(part).length - 1;

/** @type {readonly import('./comparison-run.mjs').Task[]} */
export const FIND_TASKS = [
  {
    title: 'List the backups of one machine',
    ways: {
      cbr: {
        steps: ['cbr snapshots --host "$(hostname)"'],
        check: ({ output }) => output.includes('2 in all') && !output.includes('nobody'),
      },
      restic: {
        steps: ['restic snapshots --host "$(hostname)"'],
        check: ({ output }) => output.includes('2 snapshots'),
      },
      borg: {
        steps: [`borg list --format '{hostname} {archive} {time}{NL}' | grep "^$(hostname) "`],
        check: listsBoth,
        is: 'part',
        note: 'all are listed; the rest is for grep, or for names such as work-1 that begin alike (`--glob-archives`)',
      },
      dar: {
        steps: ['dar_manager -B ~/backup/db -l'],
        check: listsBoth,
        is: 'part',
        note: 'the archives of one database; an archive knows no machine',
      },
    },
  },
  {
    title: 'List the files of a backup',
    ways: {
      cbr: { steps: ['cbr ls -lR latest'], check: listsAnna },
      restic: { steps: ['restic ls -l latest'], check: listsAnna },
      borg: { steps: ['borg list ::work-2'], check: listsAnna },
      dar: { steps: ['dar -l ~/backup/work-2'], check: ({ output }) => output.includes('anna.txt') },
    },
  },
  {
    title: 'What has changed between two backups',
    ways: {
      cbr: { steps: ['cbr diff latest~1 latest'], check: tellsChanges },
      restic: {
        steps: ['restic diff $FIRST $SECOND'],
        check: tellsChanges,
        note: 'by the ids that `restic snapshots` lists; `latest` is not taken',
      },
      borg: { steps: ['borg diff ::work-1 work-2'], check: tellsChanges },
      dar: {
        steps: ['dar -l ~/backup/work-2 -as'],
        check: ({ output }) => output.includes('notes.txt') && output.includes('bert.txt'),
        is: 'part',
        note: 'what an archive has saved since the one that it refers to; not between any two',
      },
    },
  },
  {
    title: 'Find a file in the whole history, with its versions',
    ways: {
      cbr: {
        steps: ["cbr find --history 'notes.*'", 'cbr log ~/work/notes.txt'],
        check: ({ output }) => output.includes('work/notes.txt'),
      },
      restic: {
        steps: ['restic find --long notes.txt'],
        check: ({ output }) => countOf(output, 'work/notes.txt') >= 2,
        is: 'part',
        note: 'one line for each snapshot that has it; which of them are the same version is for the eye',
      },
      borg: {
        steps: ['for a in $(borg list --short); do borg list ::$a sh:**/notes.txt; done'],
        check: ({ output }) => countOf(output, 'work/notes.txt') === 2,
        is: 'no',
        note: 'the nearest: each archive listed whole, one by one',
      },
      dar: {
        steps: ['dar_manager -B ~/backup/db -f work/notes.txt'],
        check: ({ output }) => countOf(output, 'saved') === 2,
        is: 'part',
        note: 'of one path, in which archives it was saved and of what date; patterns are not possible',
      },
    },
  },
];
