import { CbrError } from '../core/index.js';
import type { PolicySnapshot } from '../policy/index.js';
import { readJsonFile } from './json-file.js';
import { displayText } from './raw-names.js';
import { TIME_EXPECTED, timeIn, type ZoneClock } from './times.js';

/** Snapshots told in a JSON file: `[{"id", "time", "level"?, "host"?, "paths"?, "job"?, "tags"?, "pinned"?, "partial"?}]`. */

type Fields = Readonly<Record<string, unknown>>;

const LEVELS = ['full', 'diff', 'incr'] as const;

/**
 * Reads a file, or standard input for `-`. Times without an offset are in the given zone; other fields than those above are
 * not looked at. Rejects with `usage`, which names the file, the snapshot and the field.
 */
export async function readSnapshotList(file: string, clock: ZoneClock): Promise<PolicySnapshot[]> {
  const { name, value: all } = await readJsonFile(file, malformed);
  if (!Array.isArray(all)) throw malformed(name, 'is no JSON array of snapshots');
  const ids = new Set<string>();
  return all.map((each: unknown, i) => {
    const where = `${name}: snapshot ${i + 1}`;
    if (typeof each !== 'object' || each === null || Array.isArray(each)) {
      throw malformed(where, 'is no object');
    }
    const snapshot = snapshotOf(each as Fields, where, clock);
    if (ids.has(snapshot.id))
      throw malformed(where, `has the same id as one before, '${displayText(snapshot.id)}'`);
    ids.add(snapshot.id);
    return snapshot;
  });
}

function malformed(where: string, what: string): CbrError {
  return new CbrError('usage', `${where} ${what}`, {
    hint: 'Give a JSON array such as [{"id": "a", "time": "2026-11-20T02:00:00+01:00"}] (docs/retention.md).',
  });
}

function snapshotOf(fields: Fields, where: string, clock: ZoneClock): PolicySnapshot {
  const { level } = fields;
  const id = textOf(fields, 'id', where);
  if (id === undefined || id === '') throw malformed(where, 'has no id');
  const timeText = textOf(fields, 'time', where);
  if (timeText === undefined) throw malformed(where, 'has no time');
  const time = timeIn(timeText, clock);
  if (time === undefined) throw malformed(where, `has the time '${displayText(timeText)}'. ${TIME_EXPECTED}`);
  const knownLevel = LEVELS.find((each) => each === level);
  if (!isAbsent(level) && knownLevel === undefined) {
    throw malformed(where, 'has another level than full, diff or incr');
  }
  const host = textOf(fields, 'host', where);
  const job = textOf(fields, 'job', where);
  const paths = textsOf(fields, 'paths', where);
  const tags = textsOf(fields, 'tags', where);
  return {
    id,
    time: { seconds: time.seconds, nanoseconds: time.nanoseconds },
    pinned: flagOf(fields, 'pinned', where),
    partial: flagOf(fields, 'partial', where),
    ...(knownLevel === undefined ? {} : { level: knownLevel }),
    ...(host === undefined ? {} : { host }),
    ...(job === undefined ? {} : { job }),
    ...(paths === undefined ? {} : { paths }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** Other programs write null for what is not there. */
function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function textOf(fields: Fields, name: string, where: string): string | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'string')
    throw malformed(where, `has ${name === 'id' ? 'an' : 'a'} ${name} that is no text`);
  return value;
}

function flagOf(fields: Fields, name: string, where: string): boolean {
  const value = fields[name];
  if (isAbsent(value)) return false;
  if (typeof value !== 'boolean') throw malformed(where, `has a ${name} that is no boolean`);
  return value;
}

function textsOf(fields: Fields, name: string, where: string): readonly string[] | undefined {
  const value = fields[name];
  if (isAbsent(value)) return undefined;
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw malformed(where, `has ${name} that are no list of texts`);
  }
  return value;
}
