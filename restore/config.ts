import { timingSafeEqual } from 'node:crypto';
import { EXIT, Failure, Newer, rethrowUnlessDamage } from './failure.js';
import { Fields } from './fields.js';
import type { Keys } from './keys.js';
import { decode } from './msgpack.js';
import { openPlain } from './object.js';
import type { Store } from './store.js';

/** The parameters of a repository: docs/format.md, "Config". */

export interface Config {
  readonly name: string;
  readonly number: number;
  readonly bytes: Buffer;
  readonly mac: Buffer;
  /** 32 hexadecimal digits. */
  readonly repository: string;
  readonly encrypted: boolean;
}

export interface Configs {
  /** Those that agree with the first, by their numbers. Of one number there may be several, of which one is right. */
  readonly configs: readonly Config[];
  readonly repository: string | undefined;
  /** The highest number that a newer program has written; 0 for none. */
  readonly newer: number;
}

/** What a folder says before there is a key: nothing of it is vouched for. */
export function readConfigs(store: Store): Configs {
  const configs: Config[] = [];
  let newer = 0;
  for (const name of store.names('config')) {
    try {
      configs.push(...store.readAll('config', name, (object) => parseConfig(name, object)));
    } catch (error) {
      rethrowUnlessDamage(error);
      if (error instanceof Newer) newer = Math.max(newer, Number(name));
    }
  }
  // A holder of the key has vouched for those of an encrypted repository; for others nobody has.
  configs.sort((a, b) => Number(b.encrypted) - Number(a.encrypted) || a.number - b.number);
  const first = configs[0];
  const agreeing = configs.filter(
    ({ repository, encrypted }) => repository === first?.repository && encrypted === first.encrypted,
  );
  return { configs: agreeing, repository: first?.repository, newer };
}

/** Rejects with a Failure unless some config was written by a holder of the key. */
export function verifyConfigs({ configs, newer }: Configs, keys: Keys): void {
  const valid = configs.filter(({ name, bytes, mac }) =>
    timingSafeEqual(keys.configMac(`config/${name}`, bytes), mac),
  );
  if (newer > (valid.at(-1)?.number ?? 0)) throw newerRepository();
  if (valid.length === 0) {
    throw new Failure(
      EXIT.damage,
      'the config of the repository is damaged or was altered',
      'Is there another copy of it, on another disc?',
    );
  }
}

export function newerRepository(): Failure {
  return new Failure(
    EXIT.failed,
    'the repository was written by a newer program',
    'Use the restore/cbr-restore.mjs of the newest disc.',
  );
}

function parseConfig(name: string, object: Buffer): Config {
  const outer = new Fields(decode(openPlain('config', object)), ['config', 'mac'], 'a config');
  const bytes = outer.bytes('config', 0, 65_536);
  const fields = new Fields(
    decode(bytes),
    [
      'repository',
      'created',
      'encrypted',
      'chunkMin',
      'chunkTarget',
      'chunkMax',
      'blockBytes',
      'packBytes',
      'compression',
      'pad',
      'extensions?',
    ],
    'a config',
  );
  return {
    name,
    number: Number(name),
    bytes,
    mac: outer.bytes('mac', 32),
    repository: fields.bytes('repository', 16).toString('hex'),
    encrypted: fields.bool('encrypted'),
  };
}
