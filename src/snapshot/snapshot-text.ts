import { displayPath } from '../fs/index.js';
import type { PolicyTime } from '../policy/index.js';
import type { Snapshot } from './snapshot-record.js';

/** Snapshots in messages: what tells them apart, on one line. */

const MOST_LISTED = 8;
/** So many paths are told of each. */
const MOST_PATHS = 2;

/** The first few, and how many more there are. */
export function listOf(texts: readonly string[]): string {
  const more = texts.length - MOST_LISTED;
  const list = texts.slice(0, MOST_LISTED).join('; ');
  return more > 0 ? `${list}; and ${more} more` : list;
}

/** `3f0a1b2c4d5e (2026-11-20 14:05:09 +01:00, dove, /home/ann)`. */
export function described({ id, about }: Snapshot): string {
  return `${id.slice(0, 12)} (${zonedText(about)}, ${shown(about.host)}, ${pathsText(about.paths)})`;
}

export function pathsText(paths: readonly string[]): string {
  return `${paths.slice(0, MOST_PATHS).map(displayPath).join(' ')}${paths.length > MOST_PATHS ? ' ...' : ''}`;
}

/** `2026-11-20 14:05:09 +01:00`, in the zone that it was told in. */
export function zonedText({
  seconds,
  zoneOffset = 0,
}: PolicyTime & { readonly zoneOffset?: number }): string {
  const clock = clockText(seconds, zoneOffset);
  if (clock === undefined) return `second ${seconds}`;
  const [hours, minutes] = [Math.floor(Math.abs(zoneOffset) / 60), Math.abs(zoneOffset) % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${clock} ${zoneOffset < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`;
}

/** Undefined beyond the years that a Date knows. */
function clockText(seconds: number, zoneOffset: number): string | undefined {
  const time = new Date((seconds + 60 * zoneOffset) * 1000);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().slice(0, -5).replace('T', ' ');
}

/** Text of strangers must not steer a terminal. */
export function shown(text: string): string {
  return displayPath(Buffer.from(text, 'utf8').toString('latin1'));
}
