import { hostname } from 'node:os';
import { readOnly, type Traffic, withTraffic } from '../backends/index.js';
import { CbrError } from '../core/index.js';
import {
  type InitParameters,
  initRepository,
  type OpenOptions,
  openRepository,
  type Repository,
} from '../repo/index.js';
import type { CommandContext } from './command.js';
import { discMediumOf } from './disc-medium.js';
import { type PasswordPurpose, type PasswordSource, readPassword } from './password.js';

/** The location that was given. Rejects with `usage` when there is none. */
export function requireLocation({ options }: CommandContext): string {
  if (options.location !== undefined) return options.location;
  throw new CbrError('usage', 'no repository was given', { hint: 'Use -r FOLDER, or set CBR_REPO.' });
}

/** Another repository than that of -r. */
export interface OtherRepository {
  readonly location: string;
  readonly password: PasswordSource;
  readonly purpose: PasswordPurpose;
  /** Takes what passes between this run and it. */
  readonly follow: (traffic: Traffic) => void;
}

/** What the library needs to open or make the repository of this run. */
export function openOptions(context: CommandContext, purpose: PasswordPurpose): OpenOptions {
  const { options, output } = context;
  const follow = (traffic: Traffic): void => output.follow(traffic);
  return optionsFor(context, {
    location: requireLocation(context),
    password: options.password,
    purpose,
    follow,
  });
}

/** As `openOptions`, for another repository. */
export function optionsFor(
  context: CommandContext,
  { location, password, purpose, follow }: OtherRepository,
): OpenOptions {
  const { options, output, signal } = context;
  return {
    location,
    password: () => readPassword(password, purpose, signal),
    passwordIsAtHand: password.kind !== 'prompt',
    cacheRoot: options.cacheRoot,
    portable: options.portable,
    host: hostname(),
    now: () => Date.now(),
    medium: { ...options.medium, discs: discMediumOf(context) },
    wrapBackend: (medium) => {
      const counted = withTraffic(medium);
      follow(counted.traffic);
      return counted;
    },
    report: (reason, weight) => {
      if (weight === 'notice' || options.verbose)
        output.problem({ severity: 'note', about: 'cache', reason });
    },
  };
}

/** Makes the repository; a password that has to be typed is asked for twice. */
export async function makeRepository(
  context: CommandContext,
  parameters: InitParameters,
): Promise<Repository> {
  return initRepository(openOptions(context, 'init'), parameters);
}

/** Opens the repository, or makes it when there is none. */
export async function openOrMakeRepository(
  context: CommandContext,
  parameters: InitParameters,
): Promise<{ readonly repository: Repository; readonly isNew: boolean }> {
  try {
    return { repository: await openRepository(openOptions(context, 'open')), isNew: false };
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'no-repository') throw error;
    return { repository: await makeRepository(context, parameters), isNew: true };
  }
}

/** Opens the repository, lets `use` work with it, and closes it whatever happens. */
export async function withRepository<T>(
  context: CommandContext,
  use: (repository: Repository) => Promise<T>,
): Promise<T> {
  return closingAfter(await openRepository(openOptions(context, 'open')), context, use);
}

/** As `withRepository` for one that nothing is written to, whatever happens. */
export async function withReadOnly<T>(
  context: CommandContext,
  use: (repository: Repository) => Promise<T>,
): Promise<T> {
  const options = openOptions(context, 'open');
  const wrapBackend: OpenOptions['wrapBackend'] = (medium) =>
    readOnly(options.wrapBackend?.(medium) ?? medium);
  return closingAfter(await openRepository({ ...options, wrapBackend }), context, use);
}

/** As `withRepository` for one that is open already. */
export async function closingAfter<T>(
  repository: Repository,
  { signal }: CommandContext,
  use: (repository: Repository) => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await use(repository);
  } finally {
    await repository.close();
  }
}
