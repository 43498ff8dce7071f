import { type Backend, type CallOptions, type ObjectReader, objectPath } from '../../backends/index.js';
import {
  BackendError,
  bytesOf,
  CbrError,
  DamagedError,
  type Decoded,
  decode,
  encode,
  FormatError,
  list,
  ObjectExistsError,
  record,
  seconds,
  text,
} from '../../core/index.js';
import { checkDigest, withDigest } from '../record-store.js';
import { MIRRORED_KINDS, type MirroredKind } from './mirrored-kinds.js';

/**
 * What a mirror knows of itself: `parity/mirror-<n>`, of which the highest number counts (docs/format.md, "Mirrors"). It is written
 * before anything it names, so what it does not name is from somebody else.
 */

const MAGIC = Buffer.from('CBRMIRR1');
const NAME = /^mirror-([1-9][0-9]{0,14})$/;

const mirrorRecord = record({
  repository: bytesOf(16),
  time: seconds,
  objects: list(record({ kind: text(16), names: list(text(200)) })),
  gone: list(record({ kind: text(16), name: text(200), since: seconds })),
});

/** What the mirror has written, or was about to write. */
export interface MirrorMemory {
  readonly repository: Uint8Array;
  /** Unix seconds. */
  readonly time: number;
  readonly known: ReadonlyMap<MirroredKind, ReadonlySet<string>>;
  /** When it was first seen that an object is no longer in the source, by path. */
  readonly gone: ReadonlyMap<string, number>;
}

export interface FoundMemory {
  /** 0 where there is none. */
  readonly number: number;
  readonly memory: MirrorMemory | undefined;
}

async function numbersOf(reader: ObjectReader, options: CallOptions): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of reader.list('parity', options)) {
    const number = NAME.exec(name)?.[1];
    if (number !== undefined) numbers.push(Number(number));
  }
  return numbers.sort((a, b) => b - a);
}

/** Whether this is what a mirror writes, which nobody else may write to. */
export async function isMirror(reader: ObjectReader): Promise<boolean> {
  for await (const { name } of reader.list('parity')) if (NAME.test(name)) return true;
  return false;
}

/** Rejects with DamagedError when it cannot be read: nobody can tell then what the mirror wrote. */
export async function readMemory(reader: ObjectReader, options: CallOptions): Promise<FoundMemory> {
  const [number] = await numbersOf(reader, options);
  if (number === undefined) return { number: 0, memory: undefined };
  const name = `mirror-${number}`;
  const object = objectPath('parity', name);
  try {
    const content = checkDigest(await reader.read('parity', name, undefined, options), object);
    if (!MAGIC.equals(content.subarray(0, MAGIC.length))) throw new FormatError(`${object}: another format`);
    return { number, memory: memoryOf(decode(mirrorRecord, content.subarray(MAGIC.length), object)) };
  } catch (error) {
    if (!(error instanceof DamagedError) && !(error instanceof FormatError)) throw error;
    throw new DamagedError(object, 'cannot be opened, so nobody can tell what the mirror has written', {
      cause: error,
      hint: 'Nothing was changed. Mirror to an empty place, and keep this one until that is done.',
    });
  }
}

function memoryOf({ repository, time, objects, gone }: Decoded<typeof mirrorRecord>): MirrorMemory {
  const known = new Map<MirroredKind, ReadonlySet<string>>();
  for (const { kind, names } of objects) known.set(kind as MirroredKind, new Set(names));
  const since = gone.map((each) => [`${each.kind}/${each.name}`, each.since] as const);
  return { repository, time, known, gone: new Map(since) };
}

/** Writes the next record. Rejects (busy) when another mirror to this target was first. */
export async function writeMemory(
  target: Backend,
  number: number,
  { repository, time, known, gone }: MirrorMemory,
  options: CallOptions,
): Promise<void> {
  const encoded = encode(mirrorRecord, {
    repository,
    time,
    objects: MIRRORED_KINDS.map((kind) => ({ kind, names: [...(known.get(kind) ?? [])].sort() })),
    gone: [...gone].map(([path, since]) => {
      const slash = path.indexOf('/');
      return { kind: path.slice(0, slash), name: path.slice(slash + 1), since };
    }),
  });
  try {
    await target.write('parity', `mirror-${number}`, withDigest([MAGIC, encoded]), options);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
    throw new CbrError('busy', `another mirror to ${target.location} is running`, {
      cause: error,
      hint: 'Try again when it has ended.',
    });
  }
}

/** Removes the records that no longer count. A store that refuses it keeps them: they are in nobody's way. */
export async function removeOldMemories(
  target: Backend,
  number: number,
  options: CallOptions,
): Promise<void> {
  const old = (await numbersOf(target, options)).filter((each) => each < number);
  const names = old.map((each) => `mirror-${each}`);
  await target.removeMany('parity', names, options).catch((error: unknown) => {
    if (!(error instanceof BackendError) || error.retryable) throw error;
  });
}
