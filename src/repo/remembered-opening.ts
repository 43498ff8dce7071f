import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backend,
  forwardTo,
  type ListedObject,
  type ObjectKind,
  type ObjectReader,
} from '../backends/index.js';
import { ObjectNotFoundError } from '../core/index.js';

/**
 * The config and the keys of a repository on another machine, as they were when this machine opened it last. They never
 * change under their names, and the ids of keys are random: while the same names are listed, they need not be fetched, and
 * the password can be stretched while the store is asked. The keys are as they lie in the store: worth nothing without a
 * password.
 */

const KINDS = ['config', 'keys'] as const;
type OpeningKind = (typeof KINDS)[number];

/** Beside the cache of the repository, so that whoever clears that clears this. */
const FILE_NAME = 'opening';
const DIGEST_BYTES = 32;

/** What opening reads of a store. */
export type OpeningReader = Pick<ObjectReader, 'location' | 'list' | 'read'>;

/** Stored bytes by kind and name. */
export type OpeningObjects = Readonly<Record<OpeningKind, ReadonlyMap<string, Uint8Array>>>;

/** The same while it is gathered. */
export type NotedOpening = Readonly<Record<OpeningKind, Map<string, Uint8Array>>>;

export function nothingNoted(): NotedOpening {
  return { config: new Map(), keys: new Map() };
}

/**
 * What was kept last for the place that `suffix`, the end of the name of its cache folders, stands for; undefined when there is
 * nothing, or nothing whole.
 */
export function rememberedOpening(cacheRoot: string, suffix: string): OpeningObjects | undefined {
  try {
    const files = readdirSync(cacheRoot)
      .filter((name) => name.endsWith(suffix))
      .map((name) => join(cacheRoot, name, FILE_NAME))
      .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1 }));
    const newest = files.sort((a, b) => b.at - a.at)[0];
    return newest === undefined || newest.at < 0 ? undefined : parsed(readFileSync(newest.path));
  } catch {
    // A cache that cannot be read: its own messages say so.
    return undefined;
  }
}

/**
 * Keeps what the repository with that cache folder was opened with; where it cannot, nothing is kept. Nor without keys: nothing would
 * tell another repository at the same place from this one.
 */
export function keepOpening(cacheFolder: string, objects: OpeningObjects): void {
  if (objects.keys.size === 0) return;
  const path = join(cacheFolder, FILE_NAME);
  // Named as what a cache folder clears away when it was left there.
  const temporary = join(cacheFolder, `new-${randomBytes(6).toString('hex')}`);
  try {
    const content = Buffer.from(
      JSON.stringify(
        KINDS.map((kind) =>
          [...objects[kind]].map(([name, stored]) => [name, Buffer.from(stored).toString('base64')]),
        ),
      ),
    );
    writeFileSync(temporary, Buffer.concat([digestOf(content), content]), { mode: 0o600 });
    renameSync(temporary, path);
  } catch {
    // As above.
    rmSync(temporary, { force: true });
  }
}

function digestOf(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

function parsed(file: Buffer): OpeningObjects | undefined {
  const content = file.subarray(DIGEST_BYTES);
  if (!digestOf(content).equals(file.subarray(0, DIGEST_BYTES))) return undefined;
  const [config, keys] = (JSON.parse(content.toString()) as [string, string][][]).map(
    (objects) => new Map(objects.map(([name, stored]) => [name, Buffer.from(stored, 'base64')])),
  );
  return config === undefined || keys === undefined ? undefined : { config, keys };
}

/** `inner`, noting in `noted` what is read of config and keys. */
export function notingOpening(inner: OpeningReader, noted: NotedOpening): OpeningReader {
  return {
    location: inner.location,
    list: (...call) => inner.list(...call),
    read: async (kind, name, ...options) => {
      const stored = await inner.read(kind, name, ...options);
      if (isOpeningKind(kind)) noted[kind].set(name, stored);
      return stored;
    },
  };
}

/** `inner`, noting in `noted` what is written of config and keys, once it is there. */
export function notingWrites(inner: Backend, noted: NotedOpening): Backend {
  return {
    ...forwardTo(inner),
    write: async (kind, name, data, ...options) => {
      await inner.write(kind, name, data, ...options);
      if (isOpeningKind(kind) && data instanceof Uint8Array) noted[kind].set(name, data);
    },
  };
}

/** The remembered objects as if they were read from the store. */
export function asReader(objects: OpeningObjects, location: string): OpeningReader {
  return {
    location,
    async *list(kind): AsyncGenerator<ListedObject> {
      if (!isOpeningKind(kind)) return;
      for (const [name, { byteLength }] of objects[kind]) yield { name, size: byteLength };
    },
    read: async (kind, name) => {
      const stored = isOpeningKind(kind) ? objects[kind].get(name) : undefined;
      if (stored === undefined) throw new ObjectNotFoundError(`${kind}/${name}`);
      return stored;
    },
  };
}

/** Whether the store lists just these: the same names, of the same length. Asks for both lists at the same time. */
export async function areListed(
  backend: Pick<ObjectReader, 'list'>,
  objects: OpeningObjects,
): Promise<boolean> {
  const lists = await Promise.all(
    KINDS.map(async (kind) => {
      const listed: ListedObject[] = [];
      for await (const object of backend.list(kind)) listed.push(object);
      return { kind, listed };
    }),
  );
  return lists.every(({ kind, listed }) => {
    const known = objects[kind];
    return (
      listed.length === known.size && listed.every(({ name, size }) => known.get(name)?.byteLength === size)
    );
  });
}

function isOpeningKind(kind: ObjectKind): kind is OpeningKind {
  return kind === 'config' || kind === 'keys';
}
