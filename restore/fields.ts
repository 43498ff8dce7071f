import { Damage } from './failure.js';
import { MapValue, type Value } from './msgpack.js';

/** Typed access to decoded values. Everything here throws Damage for what is not as its table says. */

/** The fields of a record, of which it is known that none is missing, unknown, repeated or misplaced. */
export class Fields {
  private readonly values = new Map<string, Value>();

  /** `table`: all keys in their order; those with a question mark behind them may be absent. */
  constructor(
    value: Value | undefined,
    table: readonly string[],
    private readonly what: string,
  ) {
    if (!(value instanceof MapValue)) throw new Damage(`${what} is not a map`);
    let at = 0;
    for (const key of table) {
      const name = key.replace('?', '');
      const pair = value.pairs[at];
      if (pair !== undefined && pair[0] === name) {
        this.values.set(name, pair[1]);
        at++;
      } else if (name === key) throw new Damage(`${what} has no ${name} in its place`);
    }
    if (at !== value.pairs.length) throw new Damage(`${what} has a field that is unknown or misplaced`);
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  any(name: string): Value | undefined {
    return this.values.get(name);
  }

  int(name: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
    return intOf(this.values.get(name), least, most, `${name} of ${this.what}`);
  }

  time(name: string): number {
    return this.int(name, Number.MIN_SAFE_INTEGER);
  }

  bool(name: string): boolean {
    const value = this.values.get(name);
    if (typeof value !== 'boolean') throw new Damage(`${name} of ${this.what} is not true or false`);
    return value;
  }

  text(name: string, mostBytes = 65_535): string {
    return textOf(this.values.get(name), mostBytes, `${name} of ${this.what}`);
  }

  bytes(name: string, least: number, most = least): Buffer {
    return bytesOf(this.values.get(name), least, most, `${name} of ${this.what}`);
  }

  list(name: string, most = Number.MAX_SAFE_INTEGER): readonly Value[] {
    return listOf(this.values.get(name), most, `${name} of ${this.what}`);
  }

  /** Names and values of the extensions; an empty map where there are none. */
  extensions(): ReadonlyMap<string, Buffer> {
    if (!this.has('extensions')) return new Map();
    return new Map(
      this.list('extensions', 1000).map((each) => {
        const extension = new Fields(each, ['name', 'value'], `an extension of ${this.what}`);
        return [extension.text('name', 64), extension.bytes('value', 0, 65_536)];
      }),
    );
  }
}

export function intOf(value: Value | undefined, least: number, most: number, what: string): number {
  if (typeof value !== 'number' || value < least || value > most) {
    throw new Damage(`${what} is not a number from ${least} to ${most}`);
  }
  return value;
}

export function textOf(value: Value | undefined, mostBytes: number, what: string): string {
  if (typeof value !== 'string' || Buffer.byteLength(value) > mostBytes) {
    throw new Damage(`${what} is not text of at most ${mostBytes} bytes`);
  }
  return value;
}

export function bytesOf(value: Value | undefined, least: number, most: number, what: string): Buffer {
  if (!Buffer.isBuffer(value) || value.length < least || value.length > most) {
    throw new Damage(`${what} does not have ${least === most ? least : `${least} to ${most}`} bytes`);
  }
  return value;
}

export function listOf(value: Value | undefined, most: number, what: string): readonly Value[] {
  if (!Array.isArray(value) || value.length > most) {
    throw new Damage(`${what} is not a list of at most ${most}`);
  }
  return value;
}
