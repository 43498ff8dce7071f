import { type Command, Option } from 'commander';
import { KIB, MIB, toHex } from '../../core/index.js';
import { FORMAT_VERSION, type InitParameters } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { copiedParameters } from '../copied-parameters.js';
import { refuseSmallDiscs } from '../disc-room.js';
import { EXIT } from '../exit-codes.js';
import { declareOtherPassword } from '../other-password.js';
import { wholeNumber } from '../parse-number.js';
import { closingAfter, makeRepository, requireLocation } from '../repository.js';
import { parseSize } from '../sizes.js';
import { parseWaitingPeriod, waitingText } from '../waiting-period.js';

interface Flags {
  readonly encryption: boolean;
  readonly chunkSize: number;
  readonly blockSize: number;
  readonly packSize: number;
  readonly compression: number;
  readonly pad?: boolean;
  readonly waitingPeriod?: number;
  readonly copyParametersFrom?: string;
}

const HELP = `
--copy-parameters-from makes a repository that cuts content where another one does, so that what is copied between the two
(cbr copy) and what is taken into each of them deduplicates. Its other sizes, compression and padding are taken over, too,
unless they are given. They are no secret: without its password they are read and not verified.

Examples:
  $ cbr init -r /media/backup/cbr --password-file ~/.cbr-password
  $ cbr init -r /mnt/second/cbr --copy-parameters-from /media/backup/cbr`;

/** What a repository gets when nothing else was asked for. */
export const DEFAULT_PARAMETERS: InitParameters = Object.freeze({
  encrypted: true,
  chunkBytes: 64 * KIB,
  blockBytes: 4 * MIB,
  packBytes: 32 * MIB,
  compression: 3,
  pad: false,
});

export const PASSWORD_WARNING =
  'Keep the password safe: without it nobody can read this repository, and nobody can recover it.';

export const init: CommandModule = {
  configure(command: Command): void {
    const { chunkBytes, blockBytes, packBytes, compression } = DEFAULT_PARAMETERS;
    const size = (name: string, what: string, bytes: number, text: string): void => {
      command.addOption(new Option(`--${name} <size>`, what).argParser(parseSize).default(bytes, text));
    };
    command.option('--no-encryption', 'everybody can read it; damage is detected, malice is not');
    size('chunk-size', 'mean size of chunks', chunkBytes, '64KiB');
    size('block-size', 'content compressed together', blockBytes, '4MiB');
    size('pack-size', 'size of the objects that hold the blocks', packBytes, '32MiB');
    command
      .option('--compression <level>', 'zstd level, 0 for none, up to 22', wholeNumber(0, 22), compression)
      .option('--pad', 'round stored sizes up, so that they tell less about the content')
      .option(
        '--waiting-period <duration>',
        'on a store that overwrites silently, how long a prune waits before it removes; 1h or more (default: 24h)',
        parseWaitingPeriod,
      )
      .option(
        '--copy-parameters-from <location>',
        'take over how another repository cuts and stores content',
      );
    declareOtherPassword(command, 'from', 'that repository');
    command.addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const given: InitParameters = {
      encrypted: flags.encryption,
      chunkBytes: flags.chunkSize,
      blockBytes: flags.blockSize,
      packBytes: flags.packSize,
      compression: flags.compression,
      pad: flags.pad ?? false,
      ...(flags.waitingPeriod === undefined ? {} : { waitingSeconds: flags.waitingPeriod }),
    };
    const from = flags.copyParametersFrom;
    const parameters = from === undefined ? given : await copiedParameters(context, command, from, given);
    await refuseSmallDiscs(requireLocation(context), parameters.packBytes);
    const repository = await makeRepository(context, parameters);
    return closingAfter(repository, context, async ({ backend, config, waitingMs }) => {
      const id = toHex(config.repository);
      const { output } = context;
      output.line(`Made the repository ${id.slice(0, 8)} in ${backend.location}.`);
      if (waitingMs !== undefined) output.line(waitingText(waitingMs));
      output.line(config.encrypted ? PASSWORD_WARNING : 'It is not encrypted: everybody can read it.');
      const summary = {
        repository: id,
        location: backend.location,
        encrypted: config.encrypted,
        formatVersion: FORMAT_VERSION,
        chunkSize: config.chunkTarget,
        blockSize: config.blockBytes,
        packSize: config.packBytes,
        compression: config.compression,
        pad: config.pad,
        createOnly: waitingMs === undefined,
        ...(waitingMs === undefined ? {} : { waitingPeriod: waitingMs / 1000 }),
      };
      return { exitCode: EXIT.done, summary };
    });
  },
};
