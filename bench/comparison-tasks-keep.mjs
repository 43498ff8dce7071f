/** Tasks of the comparison: other inputs, and keeping the history in order. */
import { writeFileSync } from 'node:fs';

const printsData = ({ output }) => output.includes('data\n') && !output.includes('WRONG');

/** On the disk, since the last backup. */
function changeAgain({ path }) {
  writeFileSync(path('work/notes.txt'), 'third draft\n');
  writeFileSync(path('work/new.txt'), 'new\n');
}
const tellsNotes = ({ output }) => output.includes('work/notes.txt') && output.includes('work/new.txt');

/** @type {readonly import('./comparison-run.mjs').Task[]} */
export const KEEP_TASKS = [
  {
    title: 'Back up what a command prints, and nothing if it fails',
    ways: {
      cbr: {
        steps: [
          'cbr snapshot --stdin-name dump.sql --from-command -- echo data',
          '! cbr snapshot --stdin-name dump.sql --from-command -- false',
          {
            hidden:
              'cbr dump latest:/dump.sql; cbr snapshots | grep -q "3 in all" || echo WRONG; cbr forget latest > ~/.log',
          },
        ],
        check: printsData,
      },
      restic: {
        steps: [
          'restic backup --stdin-filename dump.sql --stdin-from-command -- echo data',
          '! restic backup --stdin-filename dump.sql --stdin-from-command -- false',
          {
            hidden:
              'restic dump latest /dump.sql; restic snapshots | grep -q "3 snapshots" || echo WRONG; restic forget latest > ~/.log',
          },
        ],
        check: printsData,
      },
      borg: {
        steps: [
          'borg create --stdin-name dump.sql --content-from-command ::dump -- echo data',
          '! borg create --stdin-name dump.sql --content-from-command ::none -- false',
          {
            hidden:
              'borg extract --stdout ::dump dump.sql; borg list | grep none && echo WRONG; borg delete ::dump',
          },
        ],
        check: printsData,
      },
      dar: {
        steps: [
          'echo data > ~/dump.sql && dar -c ~/backup/dump -R ~ -g dump.sql',
          { hidden: 'cat ~/dump.sql; rm ~/backup/dump.*' },
        ],
        check: printsData,
        is: 'no',
        note: 'the nearest: by way of a file',
      },
    },
  },
  {
    title: 'Tag a backup that was made before',
    ways: {
      cbr: {
        steps: ['cbr tag add keep latest', 'cbr snapshots --tag keep'],
        check: ({ output }) => output.includes('1 of 2'),
      },
      restic: {
        steps: ['restic tag --add keep latest', 'restic snapshots --tag keep'],
        check: ({ output }) => output.includes('1 snapshots'),
        note: 'its id is another one then',
      },
      borg: {
        steps: ['borg recreate --comment keep ::work-2', `borg list --format '{archive} {comment}{NL}'`],
        check: ({ output }) => output.includes('work-2 keep'),
        is: 'part',
        note: 'a comment, or another name (`borg rename`); no tags',
      },
      dar: { is: 'no', note: 'a comment when it is made (`--user-comment`), none later' },
    },
  },
  {
    title: 'What has changed on the disk since the last backup',
    before: changeAgain,
    ways: {
      cbr: { steps: ['cbr diff latest --live'], check: tellsNotes },
      restic: {
        steps: [`restic backup --dry-run -vv ~/work | grep -E '^(new|modified) '`],
        check: tellsNotes,
        is: 'part',
        note: 'what the next backup would store; what is gone from the disk is not told',
      },
      borg: {
        steps: ['borg create ::now ~/work && borg diff ::work-2 now && borg delete ::now'],
        check: tellsNotes,
        is: 'no',
        note: 'the nearest: another archive, compared and deleted',
      },
      dar: {
        steps: ['dar -d ~/backup/work-2 -R ~ -g work || true'],
        check: ({ output }) => output.includes('notes.txt'),
        is: 'part',
        note: 'what the archive has and the disk has not, or has otherwise; new files are not told',
      },
    },
  },
  {
    title: 'How much room would forgetting a backup free',
    ways: {
      cbr: { steps: ['cbr stats --free latest~1'], check: ({ output }) => /\d [KM]iB/.test(output) },
      restic: {
        steps: ['restic forget $FIRST --prune --dry-run'],
        check: ({ output }) => /to delete: +\d+ blobs/.test(output),
      },
      borg: {
        steps: ['borg info ::work-1'],
        check: ({ output }) => output.includes('Deduplicated size'),
        is: 'part',
        note: 'of one archive alone ("This archive"); not of several together',
      },
      dar: {
        steps: ['du -h ~/backup/work-1.*.dar'],
        check: ({ output }) => output.includes('work-1'),
        is: 'part',
        note: 'the size of its files; but those that refer to it need it',
      },
    },
  },
  {
    title: 'Remove a file from the whole history',
    about:
      'A secret that should never have been stored: it has to be gone from every backup, and from the disk.',
    ways: {
      cbr: {
        steps: [
          'cbr rewrite --all --exclude secret.key --forget',
          'cbr prune --max-unused 0',
          {
            hidden:
              'cbr ls -R latest~1; cbr ls -R latest; cbr snapshots | grep -q "2 in all" || echo secret.key',
          },
        ],
        check: ({ output }) => isGone(output),
      },
      restic: {
        steps: [
          'restic rewrite --exclude secret.key --forget',
          'restic prune --max-unused 0',
          { hidden: 'echo ====; restic find secret.key; restic ls latest' },
        ],
        check: ({ output }) => isGone(output.slice(output.indexOf('===='))),
      },
      borg: {
        steps: [
          "borg recreate --exclude '*/secret.key'",
          'borg compact',
          { hidden: 'echo ====; borg list ::work-1; borg list ::work-2' },
        ],
        check: ({ output }) => isGone(output.slice(output.indexOf('===='))),
      },
      dar: {
        steps: [
          'dar -+ ~/backup/clean -A ~/backup/work-1 -@ ~/backup/work-2 -X secret.key -z',
          'rm ~/backup/work-*.dar',
          { hidden: 'dar -l ~/backup/clean' },
        ],
        check: ({ output }) => isGone(output),
        is: 'part',
        note: 'an archive is copied without it; differential ones are merged into one, and their history with them',
      },
    },
  },
  {
    title: 'Thin the history by a policy, and free the room',
    about: 'Here only the newest of each day, for one day, so that something goes.',
    ways: {
      cbr: {
        steps: ['cbr forget --keep-daily 1 --prune', { hidden: 'cbr snapshots' }],
        check: ({ output }) => output.includes('1 in all'),
      },
      restic: {
        steps: ['restic forget --keep-daily 1 --prune', { hidden: 'restic snapshots' }],
        check: ({ output }) => output.trimEnd().endsWith('1 snapshots'),
      },
      borg: {
        steps: ['borg prune --keep-daily 1', 'borg compact', { hidden: 'borg list' }],
        check: ({ output }) => !output.includes('work-1') && output.includes('work-2'),
      },
      dar: { is: 'no', note: 'archives are removed by hand, or merged (`dar -+`)' },
    },
  },
  {
    title: 'Verify everything that is stored',
    ways: {
      cbr: {
        steps: ['cbr check --read-data'],
        check: ({ output }) => output.includes('No damage was found'),
      },
      restic: {
        steps: ['restic check --read-data'],
        check: ({ output }) => output.includes('no errors were found'),
      },
      borg: { steps: ['borg check --verify-data'] },
      dar: { steps: ['dar -t ~/backup/clean'], note: 'each archive by itself' },
    },
  },
];

function isGone(output) {
  return output.includes('anna.txt') && !output.includes('secret.key');
}
