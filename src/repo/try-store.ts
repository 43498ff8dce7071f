import { type Backend, type ProbeResult, probeBackend, probeFindings } from '../backends/index.js';
import { CbrError, ObjectExistsError } from '../core/index.js';
import { createConfig } from './config.js';
import type { Keys } from './keys.js';
import { isMirror } from './mirror/mirror-record.js';
import type { ConfigRecord } from './records.js';
import {
  DEFAULT_WAITING_SECONDS,
  probeOf,
  probesDiffer,
  refuseUnfit,
  storedProbe,
  updatedProbe,
  waitingSecondsOf,
  withStore,
} from './stored-probe.js';

/**
 * Tries the store of a repository that is about to be made, and has its config say what came of it. Rejects when no repository
 * can be kept there; `report` is told of what the user should know.
 */
export async function tryNewStore(
  config: ConfigRecord,
  backend: Backend,
  isLocal: boolean,
  waitingSeconds: number | undefined,
  report: (message: string, weight: 'notice') => void,
): Promise<ConfigRecord> {
  // A file system gives a file its name once or does not: one race is enough.
  const result = await probeBackend(backend, isLocal ? { rounds: 1 } : {});
  refuseUnfit(result, backend.location);
  for (const { weight, means, hint = '' } of probeFindings(result)) {
    if (weight === 'warning') report(`${means} ${hint}`.trim(), 'notice');
  }
  const isWaiting = result.verdicts['create-only'] === 'missing';
  const waits = waitingSeconds ?? (isWaiting ? DEFAULT_WAITING_SECONDS : undefined);
  const probe = storedProbe(result, config.created);
  return withStore(config, { probe, ...(waits === undefined ? {} : { waitingSeconds: waits }) });
}

/** What of a repository its config concerns. */
export interface ConfiguredRepository {
  readonly backend: Backend;
  readonly config: ConfigRecord;
  readonly configNumber: number;
  readonly keys: Keys;
  readonly now: () => number;
}

export interface StoreNote {
  readonly waitingSeconds?: number;
  /** No machine reaches the store in a way that makes it overwrite silently, although one did. */
  readonly endWaiting?: boolean;
}

/**
 * Has the config say what a probe found, and for how long removals wait: writes the next one, unless this one says so. Returns the
 * config that counts from then on, for whoever opens the repository, and its number. Rejects with `usage` in a mirror, with `busy`
 * when somebody else wrote the next config meanwhile.
 */
export async function noteStore(
  { backend, config, configNumber, keys, now }: ConfiguredRepository,
  result: ProbeResult,
  { waitingSeconds, endWaiting = false }: StoreNote = {},
): Promise<{ readonly config: ConfigRecord; readonly number: number }> {
  const before = probeOf(config);
  const probe = updatedProbe(before, storedProbe(result, Math.floor(now() / 1000)), endWaiting);
  const isWaiting = probe.missing.includes('create-only');
  const known = waitingSecondsOf(config);
  const waits = waitingSeconds ?? known ?? (isWaiting ? DEFAULT_WAITING_SECONDS : undefined);
  if (!probesDiffer(before, probe) && waits === known) return { config, number: configNumber };
  const next = withStore(config, { probe, ...(waits === undefined ? {} : { waitingSeconds: waits }) });
  if (await isMirror(backend)) {
    throw new CbrError('usage', 'it is a mirror, whose config is that of the repository it mirrors', {
      hint: 'Run cbr doctor on that repository. What is said here of the store holds all the same.',
    });
  }
  try {
    await createConfig(backend, next, keys, configNumber + 1);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
    throw new CbrError('busy', `another cbr doctor wrote config/${configNumber + 1} meanwhile`, {
      cause: error,
      hint: 'Run cbr doctor again: it goes on from what that one wrote.',
    });
  }
  return { config: next, number: configNumber + 1 };
}
