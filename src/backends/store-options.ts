import { CbrError, parseByteCount } from '../core/index.js';

/** How a store is to be used: what a location, a flag or the environment may say. All are optional. */
export interface StoreOptions {
  readonly region?: string;
  /** Whether the bucket is named in the path of a request or in the name of the host. */
  readonly style?: 'path' | 'virtual';
  /** A profile of the AWS configuration files, for the credentials of this location alone. */
  readonly profile?: string;
  /** A file with certificates (PEM) of authorities that are trusted beside the usual ones. */
  readonly caFile?: string;
  /** Storage class of packs with content; all other objects are read often and stay in the usual class. */
  readonly storageClass?: string;
  /** Server-side encryption: `AES256`, `aws:kms`, or `aws:kms:KEY`. */
  readonly sse?: string;
  /** Bytes a second. */
  readonly limitUpload?: number;
  readonly limitDownload?: number;
  /** Requests at the same time. */
  readonly connections?: number;
  /** Whether objects are only added. */
  readonly appendOnly?: boolean;
  /** Seconds for which a failing request is repeated. */
  readonly retryFor?: number;
}

type Parsers = { readonly [K in keyof StoreOptions]-?: (text: string) => StoreOptions[K] };

const PARSERS: Parsers = {
  region: matching(/^[A-Za-z0-9-]{1,64}$/, 'a region such as eu-central-1'),
  style: (text) => (text === 'path' || text === 'virtual' ? text : refuse('path or virtual')),
  profile: matching(/^[^\0\n]{1,256}$/, 'the name of a profile'),
  caFile: matching(/^[^\0\n]+$/, 'a file'),
  storageClass: matching(/^[A-Z][A-Z0-9_-]{0,63}$/, 'a storage class such as STANDARD_IA'),
  sse: matching(/^(AES256|aws:kms(:[^\0\n]{1,2048})?)$/, 'AES256, aws:kms or aws:kms:KEY'),
  limitUpload: bytesPerSecond,
  limitDownload: bytesPerSecond,
  connections: (text) => wholeWithin(text, 1, 256),
  appendOnly: yesOrNo,
  retryFor: (text) => wholeWithin(text, 0, 86_400),
};

/** `limitUpload` is `limit-upload` in a location and on the command line, and CBR_LIMIT_UPLOAD in the environment. */
function wordOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The options by the words that a location and the command line have for them. */
export const STORE_OPTION_WORDS: ReadonlyMap<string, keyof StoreOptions> = new Map(
  (Object.keys(PARSERS) as (keyof StoreOptions)[]).map((name) => [wordOf(name), name]),
);

/** The environment variable of an option. */
export function storeVariable(word: string): string {
  return `CBR_${word.toUpperCase().replaceAll('-', '_')}`;
}

/** Reads one option; rejects with `usage` what it cannot mean. `where` says who gave it. */
export function parseStoreOption(name: keyof StoreOptions, text: string, where: string): StoreOptions {
  try {
    return { [name]: PARSERS[name](text) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new CbrError('usage', `${where} is ${JSON.stringify(text)}: ${error.expected} is expected`);
  }
}

class Refusal extends Error {
  constructor(readonly expected: string) {
    super(expected);
  }
}

function refuse(expected: string): never {
  throw new Refusal(expected);
}

function matching(pattern: RegExp, expected: string): (text: string) => string {
  return (text) => (pattern.test(text) ? text : refuse(expected));
}

function wholeWithin(text: string, least: number, most: number): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : refuse(`a whole number from ${least} to ${most}`);
}

function yesOrNo(text: string): boolean {
  if (/^(1|true|yes)$/.test(text)) return true;
  return /^(0|false|no)$/.test(text) ? false : refuse('1 or 0');
}

function bytesPerSecond(text: string): number {
  const value = parseByteCount(text);
  return value !== undefined && value >= 1024
    ? value
    : refuse('a size for each second, such as 2MiB, at least 1KiB,');
}
