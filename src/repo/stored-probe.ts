import { type Backend, PROBED, type Probed, type ProbeResult, probeFindings } from '../backends/index.js';
import { CbrError, type Decoded, decode, encode, int, list, record, seconds, text } from '../core/index.js';
import type { ConfigRecord } from './records.js';

/** What the config says of the store: the result of the last probe, and the waiting period (docs/format.md, "Config"). */

const PROBE_NAME = 'store';
const WAITING_NAME = 'waiting-period';

const names = list(text(64), 100);

const probeRecord = record({
  probed: seconds,
  fine: names,
  missing: names,
  facts: list(record({ name: text(64), value: text(256) }), 100),
});
export type StoredProbe = Decoded<typeof probeRecord>;

const waitingRecord = record({ seconds: int(1, 366 * 24 * 3600) });

/** Longer than any process pauses and goes on, or any clock is wrong: a night of a laptop that was closed. */
export const DEFAULT_WAITING_SECONDS = 24 * 3600;
/** A shorter one would not outlast a store that is slow to answer. */
export const LEAST_WAITING_SECONDS = 3600;

/** Rejects when the store lacks what no repository can do without. */
export function refuseUnfit(result: ProbeResult, location: string): void {
  const lacks = probeFindings(result).filter(({ weight }) => weight === 'refused');
  if (lacks.length === 0) return;
  const what = lacks.map(({ thing, means }) => `${thing}: ${means}`).join(' ');
  const { hint } = lacks[0]!;
  throw new CbrError(
    'backend',
    `no repository can be kept in ${location}. ${what}`,
    hint === undefined ? {} : { hint },
  );
}

/** The probe's result as the config keeps it; `now` in seconds since 1970. Clocks change, so they are not kept. */
export function storedProbe({ verdicts, facts }: ProbeResult, now: number): StoredProbe {
  const those = (verdict: string): Probed[] => PROBED.filter((thing) => verdicts[thing] === verdict);
  return {
    probed: now,
    fine: those('fine'),
    missing: those('missing'),
    facts: facts === undefined ? [] : factsOf(facts),
  };
}

function factsOf({
  checksum,
  versioning,
  objectLock,
}: NonNullable<ProbeResult['facts']>): StoredProbe['facts'] {
  const { state, mode, days } = { mode: undefined, days: undefined, ...objectLock };
  const lock = [state, mode, days === undefined ? undefined : `${days} days`].filter(
    (part) => part !== undefined,
  );
  return [
    { name: 'checksum', value: checksum },
    { name: 'versioning', value: versioning },
    { name: 'object-lock', value: lock.join(', ') },
  ];
}

/**
 * What is to be kept when a store is tried again: what could not be tried stays as it was, and so does whether it can remove, which
 * depends on the key. Once it was seen to overwrite silently, that stays: another machine may reach it another way; `endWaiting`
 * says that none does.
 */
export function updatedProbe(
  before: StoredProbe | undefined,
  now: StoredProbe,
  endWaiting: boolean,
): StoredProbe {
  if (before === undefined) return now;
  const overwrites = before.missing.includes('create-only') && !endWaiting;
  const isNew = (name: string): boolean =>
    name !== 'removal' &&
    !(overwrites && name === 'create-only') &&
    (now.fine.includes(name) || now.missing.includes(name));
  const merged = (list: 'fine' | 'missing'): string[] => [
    ...before[list].filter((name) => !isNew(name)),
    ...now[list].filter(isNew),
  ];
  const told = now.facts.filter(({ value }) => value !== 'unknown');
  const kept = before.facts.filter(({ name }) => !told.some((fact) => fact.name === name));
  return { probed: now.probed, fine: merged('fine'), missing: merged('missing'), facts: [...kept, ...told] };
}

/** Whether two results say different things, whenever they were found. */
export function probesDiffer(before: StoredProbe | undefined, now: StoredProbe): boolean {
  if (before === undefined) return true;
  const factsOf = ({ facts }: StoredProbe): string[] => facts.map(({ name, value }) => `${name} ${value}`);
  const alike = (a: readonly string[], b: readonly string[]): boolean =>
    [...a].sort().join('\n') === [...b].sort().join('\n');
  return !(
    alike(before.fine, now.fine) &&
    alike(before.missing, now.missing) &&
    alike(factsOf(before), factsOf(now))
  );
}

function extensionOf({ extensions = [] }: ConfigRecord, name: string): Uint8Array | undefined {
  return extensions.find((each) => each.name === name)?.value;
}

/** The result of the last probe; undefined if there was none. Rejects with FormatError. */
export function probeOf(config: ConfigRecord): StoredProbe | undefined {
  const value = extensionOf(config, PROBE_NAME);
  return value === undefined ? undefined : decode(probeRecord, value, `config: ${PROBE_NAME}`);
}

/** The waiting period that is set, whether it is needed or not; undefined if none is. */
export function waitingSecondsOf(config: ConfigRecord): number | undefined {
  const value = extensionOf(config, WAITING_NAME);
  return value === undefined ? undefined : decode(waitingRecord, value, `config: ${WAITING_NAME}`).seconds;
}

/** The config with other things to say of the store; what else it holds stays. */
export function withStore(
  config: ConfigRecord,
  { probe, waitingSeconds }: { readonly probe?: StoredProbe; readonly waitingSeconds?: number },
): ConfigRecord {
  const changed = new Map((config.extensions ?? []).map(({ name, value }) => [name, value]));
  if (probe !== undefined) changed.set(PROBE_NAME, encode(probeRecord, probe));
  if (waitingSeconds !== undefined)
    changed.set(WAITING_NAME, encode(waitingRecord, { seconds: waitingSeconds }));
  if (changed.size === 0) return config;
  return { ...config, extensions: [...changed].map(([name, value]) => ({ name, value })) };
}

/**
 * How long removals have to wait, in milliseconds; undefined where the store writes a name once, so that nobody waits. The
 * last probe counts; where there was none, what the medium says of itself.
 */
export function waitingMsOf(
  config: ConfigRecord,
  { capabilities }: Pick<Backend, 'capabilities'>,
): number | undefined {
  const probe = probeOf(config);
  const isMissing = probe?.missing.includes('create-only') ?? false;
  const isFine = probe?.fine.includes('create-only') ?? false;
  if (!isMissing && (isFine || capabilities.createOnly)) return undefined;
  return 1000 * (waitingSecondsOf(config) ?? DEFAULT_WAITING_SECONDS);
}
