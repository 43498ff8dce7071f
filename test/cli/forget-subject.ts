import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, plainPlace } from './run.js';

/** Snapshots of one small file at any time, to be forgotten. */

/** A repository with snapshots of one small file at those times; their ids in the same order. */
export async function taken(...times: readonly string[]): Promise<{ its: Place; ids: string[] }> {
  const its = await plainPlace();
  writeFileSync(join(its.source, 'file'), 'content');
  const ids: string[] = [];
  for (const time of times) ids.push(await take(its, time));
  return { its, ids };
}

export async function take(its: Place, time: string, ...args: readonly string[]): Promise<string> {
  const { summary } = await its.json(['snapshot', its.source, '--host', 'dove', '--time', time, ...args]);
  return summary.snapshot as string;
}

export async function left(its: Place): Promise<unknown[]> {
  return (await its.json(['snapshots'])).items.map(({ snapshot }) => snapshot);
}

export const objects = (its: Place, kind: string): string[] => readdirSync(join(its.repo, kind)).sort();

/** Everything in the repository, by name. */
export const everything = (its: Place): string[] =>
  readdirSync(its.repo, { recursive: true, encoding: 'utf8' }).sort();

export const THREE = ['2026-01-05T02:00', '2026-01-06T02:00', '2026-01-07T02:00'] as const;
