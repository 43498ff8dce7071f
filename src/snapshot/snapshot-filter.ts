import { displayPath } from '../fs/index.js';
import { compareTimes, type PolicyTime } from '../policy/index.js';
import type { Level, Snapshot } from './snapshot-record.js';
import { shown, zonedText } from './snapshot-text.js';

/** Which of the snapshots of a repository count. */

/** A point in time, and the zone to show it in: minutes east of UTC, UTC without it. */
export interface ShownTime extends PolicyTime {
  readonly zoneOffset?: number;
}

/** What a snapshot must have to be meant; what is left out does not matter. */
export interface SnapshotFilter {
  readonly host?: string;
  /** One of its source paths: raw, absolute, normalised (see src/fs). */
  readonly path?: string;
  /** All of these. */
  readonly tags: readonly string[];
  readonly job?: string;
  readonly level?: Level;
  /** Taken at that time or later. */
  readonly after?: ShownTime;
  /** Taken earlier than that. */
  readonly before?: ShownTime;
}

/** Those that the filter lets through, in the same order. */
export function filterSnapshots(snapshots: readonly Snapshot[], filter: SnapshotFilter): Snapshot[] {
  const { host, path, tags, job, level, after, before } = filter;
  return snapshots.filter(
    ({ about }) =>
      (host === undefined || about.host === host) &&
      (path === undefined || about.paths.includes(path)) &&
      tags.every((tag) => about.tags.includes(tag)) &&
      (job === undefined || about.job === job) &&
      (level === undefined || about.level === level) &&
      (after === undefined || compareTimes(about, after) >= 0) &&
      (before === undefined || compareTimes(about, before) < 0),
  );
}

/** `host dove, path /home, tag nightly`: what a filter asks for, for people; empty where it lets all through. */
export function filterText({ host, path, tags, job, level, after, before }: SnapshotFilter): string {
  return [
    ...(host === undefined ? [] : [`host ${shown(host)}`]),
    ...(path === undefined ? [] : [`path ${displayPath(path)}`]),
    ...tags.map((tag) => `tag ${shown(tag)}`),
    ...(job === undefined ? [] : [`job ${shown(job)}`]),
    ...(level === undefined ? [] : [`level ${level}`]),
    ...(after === undefined ? [] : [`since ${zonedText(after)}`]),
    ...(before === undefined ? [] : [`before ${zonedText(before)}`]),
  ].join(', ');
}
