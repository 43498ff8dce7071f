import { type Command, Option } from 'commander';
import { CbrError } from '../core/index.js';
import type { MetadataChoice } from '../fs/index.js';
import { OVERWRITES, type Overwrite, type OverwriteRule, type TargetLayout } from '../snapshot/index.js';
import { wholeNumber } from './parse-number.js';

/** What commander makes of the options declared here. */
interface Flags {
  readonly overwrite: Overwrite;
  readonly compareContent?: boolean;
  readonly delete?: boolean;
  readonly yes?: boolean;
  readonly owner: boolean;
  readonly numericIds?: boolean;
  readonly xattr: boolean;
  readonly stripComponents?: number;
  readonly flatten?: boolean;
}

/** How a restore deals with the target, resolved. */
export interface RestoreControl {
  readonly rule: OverwriteRule;
  readonly metadata: MetadataChoice;
  readonly layout: TargetLayout;
  readonly deletes: boolean;
  readonly isAgreed: boolean;
}

const MOST_COMPONENTS = 1000;

/** Options that say what may be done to the target, and how things lie there. */
export function declareRestoreControl(command: Command): void {
  command
    .optionsGroup('What exists in the target:')
    .addOption(
      new Option('--overwrite <when>', 'replace what exists and differs, see below')
        .choices(OVERWRITES)
        .default('never'),
    )
    .option('--compare-content', 'with if-changed: read files of the right size and time too')
    .option(
      '--delete',
      'when all is restored, delete from the restored folders what the snapshot does not have',
    )
    .option('--yes', 'delete without asking')
    .optionsGroup('What is set, and where things lie:')
    .option(
      '--no-owner',
      'all belongs to whoever restores; no file keeps setuid or setgid rights of another owner',
    )
    .option('--numeric-ids', 'owners by their numbers, not by the names that go with them here')
    .option('--no-xattr', 'no extended attributes; ACLs are set all the same, they are permissions')
    .option(
      '--strip-components <number>',
      'leave out so many folders at the beginning of each path',
      wholeNumber(0, MOST_COMPONENTS),
    )
    .option('--flatten', 'all files directly in the target; a second one of a name gets a number')
    .optionsGroup('Options:');
}

/** Rejects (usage) what does not go together. */
export function restoreControlOf(command: Command): RestoreControl {
  const flags = command.opts<Flags>();
  const {
    overwrite,
    compareContent = false,
    numericIds = false,
    flatten = false,
    stripComponents = 0,
  } = flags;
  const isLaidOut = flatten || stripComponents > 0;
  exclude(compareContent && overwrite === 'never', '--compare-content', 'goes with --overwrite if-changed');
  exclude(
    compareContent && overwrite === 'if-newer',
    '--compare-content',
    'does not go with --overwrite if-newer',
  );
  exclude(flags.delete === true && isLaidOut, '--delete', 'does not go with --flatten or --strip-components');
  exclude(flags.yes === true && flags.delete !== true, '--yes', 'goes with --delete');
  exclude(flatten && stripComponents > 0, '--flatten', 'does not go with --strip-components');
  exclude(!flags.owner && numericIds, '--no-owner', 'does not go with --numeric-ids');
  const control: RestoreControl = {
    rule: { overwrite, compareContent },
    metadata: { owners: !flags.owner ? 'none' : numericIds ? 'numbers' : 'names', xattrs: flags.xattr },
    layout: { stripComponents, flatten },
    deletes: flags.delete ?? false,
    isAgreed: flags.yes ?? false,
  };
  return Object.freeze(control);
}

function exclude(isWrong: boolean, option: string, why: string): void {
  if (isWrong) throw new CbrError('usage', `${option} ${why}`, { hint: 'See: cbr help restore' });
}

/** For the help of the command. */
export const CONTROL_HELP = `
--overwrite says what happens where something has the name already. What is replaced stays until the new is whole.
  never       it is left alone (the default: whoever asks for nothing loses nothing)
  if-changed  a file of the same size and time is right; with --compare-content, and where it would get another owner or
              other rights, only if its content is too; symlinks and devices are right if they lead to the same; whatever
              else is there is replaced
  if-newer    as always, but only what is older than in the snapshot
  always      the content of every file is compared, and whatever differs is replaced
Except with never, what is right gets the metadata of the snapshot where it differs, folders that exist too, and with a
path that names a folder the target as well. Of a file that is replaced only the chunks that differ are fetched. A folder
gives way to something else only if it is empty, or with --delete. Nothing is written through a symlink or another name
of a file.
A restore that was interrupted goes on with the same command and --overwrite if-changed; what was half written is kept
for it as .cbr-*.tmp, from 64 KiB on, after a kill too, and is gone when it has ended.
--delete lists what it deletes and asks, unless --yes; patterns, lost content and other mounts protect what they reach.
It deletes only where the snapshot knows everything: in its sources, not in folders on the way to them nor in those of a
long list of files, and nothing that it could not read; with a partial snapshot it is refused. What --exclude and the like,
or --one-file-system, left out of the snapshot is not remembered, and would be deleted: --exclude it from the restore too.`;
