import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Damage, messageOf } from './failure.js';
import { openFile } from './file.js';

/** What a disc says of itself and of its set: docs/format.md, "Discs". Nothing in it is vouched for. */

export interface Disc {
  readonly id: string;
  readonly set: string;
  readonly number: number;
  readonly volume: string;
}

export interface DiscInfo extends Disc {
  readonly repository: string;
  /** The discs of the set with the packs on each, as far as this one knows. */
  readonly discs: readonly { readonly disc: Disc; readonly packs: readonly string[] }[];
}

const MOST_BYTES = 256 * 2 ** 20;

/** The `disc.json` of a folder; undefined where there is none. Throws Damage for one that is not right. */
export function readDiscInfo(folder: string): DiscInfo | undefined {
  const path = join(folder, 'disc.json');
  let text: string;
  try {
    const { file, size } = openFile(path);
    try {
      if (size > MOST_BYTES) throw new Damage('it is too large');
      text = readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof Damage) throw new Damage(`its disc.json: ${messageOf(error)}`);
    // No such file, no folder, or one that is closed to whoever looks around.
    if (error instanceof Error && 'code' in error && error.code !== 'EIO') return undefined;
    throw new Damage(`its disc.json cannot be read: ${messageOf(error)}`);
  }
  return parseDiscInfo(text);
}

/** Throws Damage for what is no disc.json of version 1. */
export function parseDiscInfo(text: string): DiscInfo {
  const json = parsed(text);
  if (json.format !== 'cbr-disc') throw new Damage('its disc.json is not one of cbr');
  if (json.version !== 1) throw new Damage('its disc.json was written by a newer program');
  const set = textOf(json.set, 64);
  if (!Array.isArray(json.discs)) throw new Damage('its disc.json names no discs');
  return {
    ...discOf(json, set),
    repository: hexOf(json.repository, 16),
    discs: json.discs.map((each: unknown) => {
      const disc = objectOf(each);
      if (!Array.isArray(disc.packs)) throw new Damage('its disc.json names no packs');
      const packs = disc.packs.map((pack: unknown) => hexOf(Array.isArray(pack) ? pack[0] : undefined, 32));
      return { disc: discOf(disc, set), packs };
    }),
  };
}

type Json = Readonly<Record<string, unknown>>;

function parsed(text: string): Json {
  try {
    return objectOf(JSON.parse(text));
  } catch (error) {
    if (error instanceof Damage) throw error;
    throw new Damage('its disc.json is damaged');
  }
}

function objectOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null) throw new Damage('its disc.json is not right');
  return value as Json;
}

function discOf(json: Json, set: string): Disc {
  const { number } = json;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) {
    throw new Damage('its disc.json gives a disc no number');
  }
  return { id: hexOf(json.disc, 16), set, number, volume: textOf(json.volume, 32) };
}

/** Without control characters: they could steer a terminal. */
function textOf(value: unknown, mostBytes: number): string {
  if (typeof value !== 'string' || Buffer.byteLength(value) > mostBytes || /\p{Cc}/u.test(value)) {
    throw new Damage('its disc.json has a text that is not right');
  }
  return value;
}

function hexOf(value: unknown, bytes: number): string {
  if (typeof value !== 'string' || value.length !== 2 * bytes || !/^[0-9a-f]*$/.test(value)) {
    throw new Damage('its disc.json has an id that is not right');
  }
  return value;
}
