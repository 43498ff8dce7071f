import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDiscInfo } from '../../restore/disc.js';
import { Damage } from '../../restore/failure.js';
import { parseHeader } from '../../restore/header.js';
import { Keys } from '../../restore/keys.js';
import { decode } from '../../restore/msgpack.js';
import { readTable, rebuildTable } from '../../restore/pack.js';
import { parsePayload } from '../../restore/payload.js';
import { parseOutcome } from '../../restore/snapshots.js';
import { parseContentPage, parseTreePage } from '../../restore/tree.js';
import { randomContent } from '../snapshot/random-content.js';
import { isSoak, scratch } from '../snapshot/scratch-repository.js';
import { differences, read } from './reader.js';

/** Whatever the bytes are, the decoders end soon, with a value or with Damage. */

const GOLDEN = join(import.meta.dirname, '../golden/v1-unencrypted/repository');
const RUNS = isSoak ? 200_000 : 3000;

const files = (folder: string): Buffer[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile())
    .sort()
    .map((path) => readFileSync(path));

const HEADER_BYTES = 56;
const TAG_BYTES = 16;
const DIGEST_BYTES = 32;

/** What is inside the seals, which the golden repository without encryption shows. */
const records = files(join(GOLDEN, 'snapshots')).map((each) =>
  each.subarray(HEADER_BYTES, -DIGEST_BYTES - TAG_BYTES),
);
const segments = files(join(GOLDEN, 'index')).map((each) => each.subarray(HEADER_BYTES, -TAG_BYTES));
const packs = files(join(GOLDEN, 'packs'));
const blocks = packs.map((pack) => {
  const length = pack.readUInt32LE(HEADER_BYTES + 8);
  return pack.subarray(HEADER_BYTES + 24, HEADER_BYTES + 24 + length - TAG_BYTES);
});
/** Chunks of tree packs: pages of trees and of content lists. */
const pages = blocks
  .filter((_, i) => packs[i]![17] === 2)
  .flatMap((block) => {
    const { content, chunkLengths } = parsePayload(block, 'block');
    let at = 0;
    return chunkLengths.map((length) => {
      at += length;
      return content.subarray(at - length, at);
    });
  });

type Mutation = readonly [place: number, kind: 'set' | 'cut' | 'insert' | 'long', value: number];

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom('set', 'set', 'set', 'cut', 'insert', 'long'),
    fc.nat(255),
  ),
  { minLength: 1, maxLength: 4 },
);

function mutated(original: Buffer, changes: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(original);
  for (const [place, kind, value] of changes) {
    // Most of what matters stands at the beginning.
    const at = Math.min(bytes.length - 1, Math.floor(bytes.length * place ** 3));
    if (bytes.length < 5) break;
    if (kind === 'set') bytes[at] = value;
    else if (kind === 'cut') bytes = bytes.subarray(0, at);
    else if (kind === 'insert')
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at)]);
    else bytes.fill(0xff, at, Math.min(bytes.length, at + 4));
  }
  return bytes;
}

/** Of each original several mutations; those that pass all checks are as good as any others. */
function endsWell(originals: readonly Buffer[], use: (bytes: Buffer) => unknown): void {
  expect(originals.length).toBeGreaterThan(0);
  let refused = 0;
  fc.assert(
    fc.property(fc.nat(originals.length - 1), mutations, (which, changes) => {
      try {
        use(mutated(originals[which]!, changes));
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
        refused++;
      }
    }),
    { numRuns: RUNS },
  );
  expect(refused).toBeGreaterThan(RUNS / 20);
}

describe('mutated bytes', () => {
  test('payloads of records and index segments', () => {
    endsWell([...records, ...segments], (bytes) => decode(parsePayload(bytes, 'other').content));
  });
  test('outcomes', () => {
    const plain = records.map((each) => parsePayload(each, 'other').content);
    endsWell(plain, (bytes) => parseOutcome('0'.repeat(32), decode(bytes)));
  });
  test('blocks, compressed ones too', () => endsWell(blocks, (bytes) => parsePayload(bytes, 'block')));
  test('pages of trees', () => endsWell(pages, (bytes) => parseTreePage(bytes, 9)));
  test('pages of content lists', () => endsWell(pages, (bytes) => parseContentPage(bytes, 1_000_000, 9)));
  test('headers', () => endsWell(packs, (bytes) => parseHeader(bytes, 'CBRP')));
  test('packs as a whole', () => {
    const keys = new Keys(Buffer.alloc(16), undefined);
    endsWell(packs, (bytes) => {
      const range = (offset: number, length: number): Buffer => {
        if (offset < 0 || offset + length > bytes.length) throw new Damage('cut short');
        return bytes.subarray(offset, offset + length);
      };
      try {
        readTable(keys, range, bytes.length);
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
        rebuildTable(keys, range, bytes.length);
        throw error;
      }
    });
  }, 300_000);
  test('disc.json', () => {
    const disc = { disc: 'a'.repeat(32), number: 1, volume: 'V', packs: [['b'.repeat(64), 5]] };
    const json = {
      format: 'cbr-disc',
      version: 1,
      repository: 'c'.repeat(32),
      set: 's',
      ...disc,
      discs: [disc],
    };
    expect(parseDiscInfo(JSON.stringify(json))).toMatchObject({ number: 1, set: 's' });
    endsWell([Buffer.from(JSON.stringify(json))], (bytes) => parseDiscInfo(bytes.toString('latin1')));
  });
});

test('values in any other than their one form are refused', () => {
  const forms = [
    'cc7f',
    'cd00ff',
    'ce0000ffff',
    'cf00000000ffffffff',
    'd0e0',
    'd1ff80',
    'd2ffff8000',
    'c0',
    'ca00000000',
  ];
  const others = [
    'd90161',
    'da000161',
    'dc000101',
    'de00010101',
    'c50001ff',
    'a1ff',
    'c1',
    '9101ff',
    '9f',
    '',
    'd40000',
  ];
  for (const form of [...forms, ...others])
    expect(() => decode(Buffer.from(form, 'hex')), form).toThrow(Damage);
  expect(decode(Buffer.from('cf0020000000000000', 'hex'))).toBe(2n ** 53n);
  expect(() => decode(Buffer.alloc(100, 0x91))).toThrow('nested too deeply');
});

describe('frames of zstd', () => {
  /** A payload around what the program zstd has made. */
  function payloadOf(
    plain: Buffer,
    options: readonly string[],
    folder: string,
    length = plain.length,
  ): Buffer {
    const path = join(folder, 'plain');
    writeFileSync(path, plain);
    const frame = execFileSync('zstd', [...options, '-c', path], {
      maxBuffer: 2 ** 26,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const head = Buffer.alloc(16);
    head.writeUInt8(1, 0);
    head.writeUInt32LE(length, 4);
    head.writeUInt32LE(frame.length, 8);
    return Buffer.concat([head, frame]);
  }

  const text = Buffer.from(
    Array.from({ length: 1_500_000 }, (_, i) => `${(i * 2_654_435_761) % 99_991} `).join(''),
  );
  const samples: readonly [string, Buffer][] = [
    [
      '16 MiB of random bytes and repetitions',
      Buffer.concat(Array.from({ length: 16 }, (_, i) => randomContent(i % 3, 2 ** 20))),
    ],
    ['numbers as text', text],
    ['one byte over and over', Buffer.alloc(3_000_000, 7)],
    ['a few bytes', Buffer.from('few')],
  ];

  test.each(samples)(
    '%s, at every sort of level',
    (_, plain) => {
      const { root } = scratch();
      for (const options of [['-1'], ['-3', '--no-check'], ['-9'], ['-16', '--long=24'], ['--fast=5']]) {
        const { content } = parsePayload(payloadOf(plain, options, root), 'other');
        expect(content.equals(plain), options.join(' ')).toBe(true);
      }
    },
    120_000,
  );

  test('another length than it says, a second frame, one without its length', () => {
    const { root } = scratch();
    const plain = text.subarray(0, 100_000);
    expect(() => parsePayload(payloadOf(plain, ['-3'], root, 99_999), 'other')).toThrow(Damage);
    const payload = payloadOf(plain, ['-3'], root);
    const twice = Buffer.concat([payload, payload.subarray(16)]);
    twice.writeUInt32LE(twice.length - 16, 8);
    expect(() => parsePayload(twice, 'other')).toThrow(Damage);
    expect(() => parsePayload(payloadOf(plain, ['-3', '--no-content-size'], root), 'other')).toThrow(Damage);
  });
});

test('whole discs with bytes changed at random give what is whole, and an account of the rest', async () => {
  const { root } = scratch();
  const paths = readdirSync(GOLDEN, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(GOLDEN, path)).isFile(),
  );
  const whole = join(root, 'whole');
  await read(['restore', '408f3131', '--target', whole, '--discs', GOLDEN]);
  for (let run = 0; run < (isSoak ? 300 : 10); run++) {
    const folder = join(root, `${run}`);
    cpSync(GOLDEN, folder, { recursive: true });
    const noise = randomContent(1000 + run, 8 * paths.length);
    for (const [i, path] of paths.entries()) {
      if (noise[8 * i]! > 40) continue;
      const bytes = readFileSync(join(folder, path));
      bytes[noise.readUInt32LE(8 * i + 1) % bytes.length]! ^= 1 + (noise[8 * i + 5]! % 255);
      const length = noise[8 * i + 6]! < 40 ? noise.readUInt32LE(8 * i + 1) % bytes.length : bytes.length;
      writeFileSync(join(folder, path), bytes.subarray(0, length));
    }
    const args = ['restore', '408f3131', '--target', join(root, `to ${run}`), '--discs', folder];
    const { code, signal, stderr } = await read(args);
    expect([code, signal], stderr).toEqual([expect.any(Number), null]);
    expect([1, 4, 10], stderr).toContain(code);
    if (code !== 10) {
      const different = differences(whole, join(root, `to ${run}`));
      expect(different.filter((each) => !each.endsWith(': missing'))).toEqual([]);
    }
    expect(stderr).not.toMatch(/TypeError|RangeError|ERR_|undefined|\n {4}at /);
  }
}, 300_000);
