import { resolve } from 'node:path';
import { CbrError } from '../core/index.js';

/** A repository on discs: a folder of images or of copied discs, one image, or a drive. */
export interface DiscLocation {
  readonly kind: 'disc';
  /** Absolute. */
  readonly path: string;
  /** Without options, in one form for each place: it names what this machine keeps of the repository. */
  readonly text: string;
  /** What its query says; who opens it knows what that means. */
  readonly options: ReadonlyMap<string, string>;
}

/**
 * Reads `disc:PATH?name=value&...`. The path is one of the system, nothing in it is decoded; the query is percent-decoded, but a plus
 * is a plus. Rejects with CbrError 'usage'.
 */
export function parseDiscLocation(text: string): DiscLocation {
  const [, path = '', query = ''] = /^disc:([^?]*)(?:\?(.*))?$/is.exec(text) ?? [];
  if (path === '') throw unusable(text, 'it names no place');
  const options = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(part) ?? [];
    if (name === undefined || value === undefined)
      throw unusable(text, `${JSON.stringify(part)} is no option with a value`);
    if (options.has(name)) throw unusable(text, `it says ${JSON.stringify(name)} twice`);
    options.set(name, decoded(value, text));
  }
  const place = resolve(path);
  return Object.freeze({ kind: 'disc', path: place, text: `disc:${place}`, options });
}

function decoded(value: string, text: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw unusable(text, `${JSON.stringify(value)} has a % that begins no byte`);
  }
}

function unusable(text: string, reason: string): CbrError {
  return new CbrError('usage', `${JSON.stringify(text)} is no location of a repository: ${reason}`, {
    hint: 'write disc:FOLDER, disc:IMAGE.iso or disc:/dev/sr0',
  });
}
