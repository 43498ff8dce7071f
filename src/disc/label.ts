import { CbrError, FormatError } from '../core/index.js';

/** The file `disc.json` of a disc: which one it is, and what lies on the others of its set (docs/format.md, "Discs"). */

export const LABEL_FILE = 'disc.json';

/** Larger ones are not read: that is a list of a million packs. */
export const LABEL_BYTES = 128 * 1024 * 1024;

const FORMAT = 'cbr-disc';
const VERSION = 1;
const MOST_TEXT = 1024;
const MOST_NUMBER = 999_999_999;

export interface LabelPack {
  /** 64 hexadecimal digits. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface LabelDisc {
  /** 32 hexadecimal digits. */
  readonly disc: string;
  readonly number: number;
  readonly volume: string;
  /** Those that it was planned for. */
  readonly packs: readonly LabelPack[];
}

export interface DiscLabel {
  /** 32 hexadecimal digits. */
  readonly repository: string;
  readonly set: string;
  readonly disc: string;
  readonly number: number;
  readonly volume: string;
  readonly medium: string;
  /** ISO 8601. */
  readonly created: string;
  /** The discs of the set that this one knows, in the order of their numbers; itself among them. */
  readonly discs: readonly LabelDisc[];
}

/** The bytes of a label. */
export function encodeLabel(label: DiscLabel): Buffer {
  const { repository, set, disc, number, volume, medium, created, discs } = label;
  const lines = discs.map((each) => {
    const packs = each.packs.map(({ name, size }) => [name, size]);
    return JSON.stringify({ disc: each.disc, number: each.number, volume: each.volume, packs });
  });
  const head = { format: FORMAT, version: VERSION, repository, set, disc, number, volume, medium, created };
  const opened = JSON.stringify(head, undefined, 1).slice(0, -2);
  return Buffer.from(`${opened},\n "discs": [\n  ${lines.join(',\n  ')}\n ]\n}\n`);
}

/** Reads a label. `subject` names the disc in messages. Rejects with FormatError, and with `newer-format` for another version. */
export function parseLabel(bytes: Uint8Array, subject: string): DiscLabel {
  const where = `${subject}, ${LABEL_FILE}`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(`${where}: is no JSON`, { cause });
  }
  const its = fieldsOf(value, where);
  if (its.format !== FORMAT) throw new FormatError(`${where}: is no label of a disc of cbr`);
  if (its.version !== VERSION) {
    throw new CbrError('newer-format', `${where}: was written by a newer cbr`, {
      hint: 'Use that one to read this disc.',
    });
  }
  const discs = listOf(its.discs, `${where}, discs`).map((each) => discOf(each, where));
  const disc = hex(its.disc, 32, `${where}, disc`);
  if (!discs.some((each) => each.disc === disc))
    throw new FormatError(`${where}, discs: the disc itself is not among them`);
  return {
    repository: hex(its.repository, 32, `${where}, repository`),
    set: textOf(its.set, `${where}, set`),
    disc,
    number: count(its.number, MOST_NUMBER, `${where}, number`),
    volume: textOf(its.volume, `${where}, volume`),
    medium: textOf(its.medium, `${where}, medium`),
    created: textOf(its.created, `${where}, created`),
    discs: discs.sort((a, b) => a.number - b.number),
  };
}

function discOf(value: unknown, where: string): LabelDisc {
  const its = fieldsOf(value, where);
  const packs = listOf(its.packs, `${where}, packs`).map((each) => {
    const [name, size] = listOf(each, `${where}, packs`);
    return {
      name: hex(name, 64, `${where}, packs`),
      size: count(size, Number.MAX_SAFE_INTEGER, `${where}, packs`),
    };
  });
  return {
    disc: hex(its.disc, 32, `${where}, discs`),
    number: count(its.number, MOST_NUMBER, `${where}, discs`),
    volume: textOf(its.volume, `${where}, discs`),
    packs,
  };
}

function fieldsOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError(`${where}: an object is expected`);
  return value as Readonly<Record<string, unknown>>;
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new FormatError(`${where}: a list is expected`);
  return value;
}

function textOf(value: unknown, where: string): string {
  // It is shown, and given to hooks: no names of ours have control characters.
  if (typeof value === 'string' && value.length <= MOST_TEXT && !/\p{Cc}/u.test(value)) return value;
  throw new FormatError(`${where}: a short text is expected`);
}

function hex(value: unknown, digits: number, where: string): string {
  if (typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value)) return value;
  throw new FormatError(`${where}: ${digits} hexadecimal digits are expected`);
}

function count(value: unknown, most: number, where: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most)
    return value as number;
  throw new FormatError(`${where}: a number is expected`);
}
