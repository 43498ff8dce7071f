import type { Command } from 'commander';
import { CbrError } from '../core/index.js';
import { type InitParameters, readParameters } from '../repo/index.js';
import type { CommandContext } from './command.js';
import { otherPassword } from './other-password.js';
import { optionsFor } from './repository.js';

/** Options of `cbr init` that win over what another repository has, by what commander calls them. */
const OVERRIDING = {
  blockSize: 'blockBytes',
  packSize: 'packBytes',
  compression: 'compression',
  pad: 'pad',
} as const satisfies Record<string, keyof InitParameters>;

/**
 * How another repository cuts and stores content, for a new one; what is given on the command line wins, but for where content
 * is cut. Says so where nobody vouches for it: no password of the other one was given.
 */
export async function copiedParameters(
  context: CommandContext,
  command: Command,
  location: string,
  given: InitParameters,
): Promise<InitParameters> {
  const isTyped = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  if (isTyped('chunkSize')) {
    throw new CbrError('usage', '--chunk-size and --copy-parameters-from exclude each other', {
      hint: 'Content that is cut otherwise does not deduplicate.',
    });
  }
  const password = otherPassword(command, 'from');
  const access = optionsFor(context, { location, password, purpose: 'from', follow: () => undefined });
  const isGiven = password.kind !== 'prompt';
  const { config, isVerified } = await readParameters(access, isGiven ? access.password : undefined);
  if (!isVerified) {
    const why = 'Nobody vouches for the parameters that were taken over, for no password was given';
    context.output.problem({
      severity: 'note',
      about: 'repository',
      reason: `${why}: compare them, or give --from-password-file.`,
    });
  }
  const { chunkTarget, chunkMin, chunkMax, blockBytes, packBytes, compression, pad } = config;
  const copied = { blockBytes, packBytes, compression, pad };
  const typed = Object.entries(OVERRIDING).filter(([option]) => isTyped(option));
  return {
    ...given,
    chunkBytes: chunkTarget,
    chunkMin,
    chunkMax,
    ...copied,
    ...Object.fromEntries(typed.map(([, field]) => [field, given[field]])),
  };
}
