import { CbrError } from './errors.js';
import { MessagePackReader, MessagePackWriter } from './messagepack.js';

/** Writes and reads one type of value in canonical MessagePack. */
export interface Codec<T> {
  write(writer: MessagePackWriter, value: T): void;
  read(reader: MessagePackReader): T;
}

interface OptionalField<T> {
  readonly optional: Codec<T>;
}

type Field = Codec<unknown> | OptionalField<unknown>;
type Fields = Record<string, Field>;
type Required<F extends Fields> = { [K in keyof F]: F[K] extends { optional: unknown } ? never : K }[keyof F];
type ValueOf<F> = F extends { optional: Codec<infer T> } ? T : F extends Codec<infer T> ? T : never;
type RecordOf<F extends Fields> = { readonly [K in Required<F>]: ValueOf<F[K]> } & {
  readonly [K in Exclude<keyof F, Required<F>>]?: ValueOf<F[K]>;
};

/** The type a codec writes and reads. */
export type Decoded<C> = C extends Codec<infer T> ? T : never;

/** An integer within [least, most], both safe integers. */
export function int(least: number, most: number): Codec<number> {
  return {
    write: (writer, value) => {
      if (value < least || value > most) throw new RangeError(`integer ${value} outside ${least}..${most}`);
      writer.int(value);
    },
    read: (reader) => reader.int(least, most),
  };
}

export const u32: Codec<number> = int(0, 0xffffffff);
export const size: Codec<number> = int(0, Number.MAX_SAFE_INTEGER);
export const seconds: Codec<number> = int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

export const flag: Codec<boolean> = {
  write: (writer, value) => writer.bool(value),
  read: (reader) => reader.bool(),
};

/** A record that breaks its own limits would be stored and could never be read. */
function checkLimit(count: number, least: number, most: number, unit: string): void {
  if (count < least || count > most)
    throw new CbrError('limit', `a field of ${count} ${unit} in a record, ${least} to ${most} allowed`);
}

/** UTF-8 text of at most `mostBytes`. */
export function text(mostBytes = 65_535): Codec<string> {
  return {
    write: (writer, value) => {
      checkLimit(Buffer.byteLength(value), 0, mostBytes, 'bytes of text');
      writer.str(value);
    },
    read: (reader) => reader.str(mostBytes),
  };
}

/** Text that is one of the given words. */
export function word<W extends string>(...words: readonly W[]): Codec<W> {
  return {
    write: (writer, value) => writer.str(value),
    read: (reader) => {
      const found = reader.str(64);
      return words.find((each) => each === found) ?? reader.fail(`one of ${words.join(', ')} expected`);
    },
  };
}

/** At most `most` bytes; what is read is a copy. */
export function bytes(most: number): Codec<Uint8Array> {
  return {
    write: (writer, value) => {
      checkLimit(value.byteLength, 0, most, 'bytes');
      writer.bin(value);
    },
    read: (reader) => Uint8Array.from(reader.bin(most)),
  };
}

/** Exactly `count` bytes; what is read is a copy. */
export function bytesOf(count: number): Codec<Uint8Array> {
  return {
    write: (writer, value) => {
      checkLimit(value.byteLength, count, count, 'bytes');
      writer.bin(value);
    },
    read: (reader) => Uint8Array.from(reader.binOf(count)),
  };
}

/** Raw bytes shown as latin1 text, one character per byte: names and paths. */
export function rawText(most: number): Codec<string> {
  return {
    write: (writer, value) => {
      checkLimit(value.length, 0, most, 'bytes');
      writer.latin1(value);
    },
    read: (reader) => reader.latin1(most),
  };
}

/** Any canonical value, kept as its encoded bytes. */
export const encoded: Codec<Uint8Array> = {
  write: (writer, value) => writer.raw(value),
  read: (reader) => Uint8Array.from(reader.skip()),
};

export function list<T>(item: Codec<T>, most = 0xffffffff): Codec<readonly T[]> {
  return {
    write: (writer, values) => {
      checkLimit(values.length, 0, most, 'items');
      writer.array(values.length);
      for (const value of values) item.write(writer, value);
    },
    read: (reader) => {
      const count = reader.array();
      if (count > most) reader.fail(`${count} items, at most ${most} allowed`);
      const values: T[] = [];
      for (let i = 0; i < count; i++) values.push(item.read(reader));
      return values;
    },
  };
}

/** As `codec`, where a value must also please `faultOf`: what it says of one that does not is the reason of the refusal. */
export function checked<T>(codec: Codec<T>, faultOf: (value: T) => string | undefined): Codec<T> {
  return {
    write: (writer, value) => {
      const fault = faultOf(value);
      if (fault !== undefined) throw new CbrError('limit', `a record cannot be stored: ${fault}`);
      codec.write(writer, value);
    },
    read: (reader) => {
      const value = codec.read(reader);
      const fault = faultOf(value);
      return fault === undefined ? value : reader.fail(fault);
    },
  };
}

/** Marks a field of a record that may be absent. */
export function optional<T>(codec: Codec<T>): OptionalField<T> {
  return { optional: codec };
}

/**
 * A map whose keys are the given names, written in the given order, absent ones left out. Reading rejects keys out of
 * order, missing ones and unknown ones.
 */
export function record<const F extends Record<string, Codec<unknown> | OptionalField<unknown>>>(
  fields: F,
): Codec<RecordOf<F>> {
  const table = Object.entries(fields).map(([name, field]) => {
    const isOptional = 'optional' in field;
    return { name, isOptional, codec: (isOptional ? field.optional : field) as Codec<unknown> };
  });
  return {
    write: (writer, value) => {
      const values = value as Record<string, unknown>;
      const present = table.filter(({ name }) => values[name] !== undefined);
      writer.map(present.length);
      for (const { name, codec } of present) {
        writer.str(name);
        codec.write(writer, values[name]);
      }
    },
    read: (reader) => {
      const count = reader.map();
      const values: Record<string, unknown> = {};
      let next = 0;
      for (let i = 0; i < count; i++) {
        const name = reader.str(64);
        while (next < table.length && table[next]!.name !== name) {
          if (!table[next]!.isOptional) reader.fail(`field ${table[next]!.name} expected, found ${name}`);
          next++;
        }
        const field = table[next++];
        if (field === undefined) return reader.fail(`unexpected field ${name}`);
        values[name] = field.codec.read(reader);
      }
      for (; next < table.length; next++) {
        if (!table[next]!.isOptional) reader.fail(`field ${table[next]!.name} is missing`);
      }
      return values as RecordOf<F>;
    },
  };
}

export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new MessagePackWriter(1024);
  codec.write(writer, value);
  return writer.finish();
}

/** The value of `input`, which must hold exactly one; `subject` names it in errors. */
export function decode<T>(codec: Codec<T>, input: Uint8Array, subject: string): T {
  const reader = new MessagePackReader(input, subject);
  const value = codec.read(reader);
  reader.end();
  return value;
}
