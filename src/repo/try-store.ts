import { type Backend, type ProbeResult, probeBackend, probeFindings } from '../backends/index.js';
import { createConfig } from './config.js';
import type { Keys } from './keys.js';
import type { ConfigRecord } from './records.js';
import {
  DEFAULT_WAITING_SECONDS,
  probeOf,
  probesDiffer,
  refuseUnfit,
  storedProbe,
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
  return noted(config, result, waitingSeconds, config.created);
}

function noted(
  config: ConfigRecord,
  result: ProbeResult,
  waitingSeconds: number | undefined,
  now: number,
): ConfigRecord {
  const isWaiting = result.verdicts['create-only'] === 'missing';
  const waits =
    waitingSeconds ?? waitingSecondsOf(config) ?? (isWaiting ? DEFAULT_WAITING_SECONDS : undefined);
  const probe = storedProbe(result, now);
  return withStore(config, { probe, ...(waits === undefined ? {} : { waitingSeconds: waits }) });
}

/** Whether the store is what the config says of it, as far as the probe could tell. */
export function isAsConfigured(config: ConfigRecord, result: ProbeResult): boolean {
  return !probesDiffer(probeOf(config), storedProbe(result, 0));
}

/** What of a repository its config concerns. */
export interface ConfiguredRepository {
  readonly backend: Backend;
  readonly config: ConfigRecord;
  readonly configNumber: number;
  readonly keys: Keys;
  readonly now: () => number;
}

/**
 * Writes the next config, which says what a probe found, and for how long removals wait. Returns its number. What it says
 * counts for whoever opens the repository from now on.
 */
export async function noteStore(
  { backend, config, configNumber, keys, now }: ConfiguredRepository,
  result: ProbeResult,
  waitingSeconds?: number,
): Promise<number> {
  const next = noted(config, result, waitingSeconds, Math.floor(now() / 1000));
  await createConfig(backend, next, keys, configNumber + 1);
  return configNumber + 1;
}
