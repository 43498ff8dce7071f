/** Tasks of the comparison: making a repository and backing up. */
import { rmSync, writeFileSync } from 'node:fs';

const DATED = `"$(date -d '3 days ago' '+%F %T')"`;

/** For later lines: what `restic snapshots` lists. */
const id = (name) =>
  `echo ${name}=$(restic snapshots latest --compact | sed -n 3p | cut -d' ' -f1) >> ~/.vars`;

/** Between the two backups. */
function change({ path }) {
  writeFileSync(path('work/notes.txt'), 'second draft\n');
  writeFileSync(path('work/letters/bert.txt'), 'Dear Bert\n');
  rmSync(path('work/photos/0.jpg'));
}

const leavesOut = ({ output }) =>
  output.includes('anna.txt') && !output.includes('film.iso') && !output.includes('junk');

/** @type {readonly import('./comparison-run.mjs').Task[]} */
export const BACKUP_TASKS = [
  {
    title: 'Make a repository',
    ways: {
      cbr: { steps: ['cbr init'] },
      restic: { steps: ['restic init'] },
      borg: { steps: ['borg init --encryption repokey'] },
      dar: {
        steps: ['mkdir ~/backup', 'dar_manager -C ~/backup/db'],
        note: 'a folder for archives, and a database of them',
      },
    },
  },
  {
    title: 'Back up a folder, and again after it has changed',
    about:
      'The second run reads and stores what has changed. Where the program can, the first one is dated three days back, for the tasks that follow.',
    ways: {
      cbr: { steps: [`cbr snapshot ~/work --time ${DATED}`, change, 'cbr snapshot ~/work'] },
      restic: {
        steps: [
          `restic backup ~/work --time ${DATED}`,
          { hidden: id('FIRST') },
          change,
          'restic backup ~/work',
          { hidden: id('SECOND') },
        ],
      },
      borg: {
        steps: [
          `borg create --timestamp "$(date -d '3 days ago' '+%FT%T')" ::work-1 ~/work`,
          change,
          'borg create ::work-2 ~/work',
        ],
        note: 'each archive needs a name',
      },
      dar: {
        steps: [
          'dar -c ~/backup/work-1 -z -R ~ -g work',
          'dar_manager -B ~/backup/db -A ~/backup/work-1',
          change,
          'dar -c ~/backup/work-2 -A ~/backup/work-1 -z -R ~ -g work',
          'dar_manager -B ~/backup/db -A ~/backup/work-2',
        ],
        is: 'part',
        note: 'the second archive is of use only together with the first; a file that has changed is stored whole, and the same content twice',
      },
    },
  },
  {
    title: 'Leave out what matches a pattern, and folders that say they are caches',
    ways: {
      cbr: {
        steps: [
          "cbr snapshot ~/work --exclude '*.iso' --exclude-caches",
          { hidden: 'cbr ls -R latest; cbr forget latest > ~/.log' },
        ],
        check: leavesOut,
      },
      restic: {
        steps: [
          "restic backup ~/work --exclude '*.iso' --exclude-caches",
          { hidden: 'restic ls latest; restic forget latest > ~/.log' },
        ],
        check: leavesOut,
      },
      borg: {
        steps: [
          "borg create --exclude '*.iso' --exclude-caches ::work-3 ~/work",
          { hidden: 'borg list ::work-3; borg delete ::work-3' },
        ],
        check: leavesOut,
      },
      dar: {
        steps: [
          "dar -c ~/backup/work-3 -z -R ~ -g work -X '*.iso' --cache-directory-tagging",
          { hidden: 'dar -l ~/backup/work-3; rm ~/backup/work-3.*' },
        ],
        check: leavesOut,
      },
    },
  },
];
