import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CbrError } from '../../dist/core/index.js';
import { encodeChecksums, parseChecksums } from '../../dist/disc/checksums.js';
import { type DiscLabel, encodeLabel, parseLabel } from '../../dist/disc/index.js';

/** `disc.json` and `SHA256SUMS`: what is written is read, and nothing else passes. */

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((all) => all.join(''));
const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((it) => !/\p{Cc}/u.test(it));
const number = fc.integer({ min: 0, max: 999_999_999 });
const pack = fc.record({ name: hex(64), size: fc.nat({ max: Number.MAX_SAFE_INTEGER }) });
const disc = fc.record({ disc: hex(32), number, volume: text, packs: fc.array(pack, { maxLength: 3 }) });
const label: fc.Arbitrary<DiscLabel> = fc
  .record({
    repository: hex(32),
    set: text,
    disc: hex(32),
    number,
    volume: text,
    medium: text,
    created: text,
    discs: fc
      .array(disc, { minLength: 1, maxLength: 4 })
      .map((discs) => discs.map((each, i) => ({ ...each, number: each.number - (each.number % 10) + i })))
      .map((discs) => discs.sort((a, b) => a.number - b.number)),
  })
  .map((its) => ({ ...its, disc: its.discs.at(-1)!.disc }));

const parsed = (content: string | Uint8Array) => () => parseLabel(Buffer.from(content as string), 'the disc');

describe('the label', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(label, (its) => {
        expect(parseLabel(encodeLabel(its), 'the disc')).toEqual(its);
      }),
    );
  });

  const example: DiscLabel = {
    repository: '0'.repeat(32),
    set: 'home',
    disc: '1'.repeat(32),
    number: 1,
    volume: 'CBR_HOME_0001',
    medium: 'dvd+r',
    created: '2026-01-01T00:00:00.000Z',
    discs: [
      {
        disc: '1'.repeat(32),
        number: 1,
        volume: 'CBR_HOME_0001',
        packs: [{ name: 'a'.repeat(64), size: 5 }],
      },
    ],
  };
  const changed = (changes: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...(JSON.parse(encodeLabel(example).toString()) as object), ...changes });

  test('has one line for each disc, and unknown keys are passed over', () => {
    const lines = encodeLabel(example).toString().split('\n');
    expect(lines.filter((line) => line.includes('"packs"'))).toHaveLength(1);
    expect(parsed(changed({ colour: 'blue' }))()).toEqual(example);
  });

  test('of a newer version, or of something else, is refused', () => {
    expect(parsed(changed({ version: 2 }))).toThrow(expect.objectContaining({ code: 'newer-format' }));
    expect(parsed(changed({ format: 'iso' }))).toThrow('the disc, disc.json: is no label of a disc of cbr');
  });

  test.each<[string, unknown]>([
    ['repository', 'A'.repeat(32)],
    ['repository', '0'.repeat(31)],
    ['disc', `${'1'.repeat(31)}\n`],
    ['disc', ['1'.repeat(32)]],
    ['set', 7],
    ['set', 'x'.repeat(1025)],
    ['set', '\u001b[31m'],
    ['volume', 'a\0b'],
    ['volume', null],
    ['medium', {}],
    ['created', undefined],
    ['number', -1],
    ['number', 1.5],
    ['number', '1'],
    ['number', 1e9],
    ['discs', {}],
    ['discs', []],
    ['discs', [{ disc: '2'.repeat(32), number: 1, volume: 'V', packs: [] }]],
    ['discs', [7]],
    ['discs', [{ disc: '1'.repeat(32), number: 1, volume: 'V' }]],
    ['discs', [{ disc: '1'.repeat(32), number: 1, volume: 'V', packs: [['../../etc/passwd', 1]] }]],
    ['discs', [{ disc: '1'.repeat(32), number: 1, volume: 'V', packs: [['a'.repeat(64), 2 ** 60]] }]],
    ['discs', [{ disc: '1'.repeat(32), number: 1, volume: 'V', packs: [null] }]],
  ])('with a wrong %s is refused: %j', (key, value) => {
    expect(parsed(changed({ [key]: value }))).toThrow(expect.objectContaining({ code: 'format' }));
  });

  test('whatever the bytes are, a label or a refusal comes of them', () => {
    const own = encodeLabel(example);
    const mutated = fc.tuple(fc.nat(own.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(own);
      bytes[at] = byte;
      return bytes;
    });
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => Buffer.from(json)),
      mutated,
    );
    fc.assert(
      fc.property(hostile, (bytes) => {
        try {
          parseLabel(bytes, 'the disc');
        } catch (error) {
          expect(error).toBeInstanceOf(CbrError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(parsed(Buffer.from([0xff, 0xfe]))).toThrow('is no JSON');
    expect(parsed(`${'['.repeat(100_000)}`)).toThrow('is no JSON');
    expect(parsed('{"__proto__": {"format": "cbr-disc"}}')).toThrow('is no label');
  });
});

describe('SHA256SUMS', () => {
  test('is read as it was written, in the order of the paths', () => {
    const path = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,80}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(path, hex(64))), (entries) => {
        const digests = new Map(entries);
        const bytes = encodeChecksums(digests);
        expect(parseChecksums(bytes, 'the disc')).toEqual(digests);
        const paths = [...parseChecksums(bytes, 'the disc').keys()];
        expect(paths).toEqual([...paths].sort());
      }),
    );
  });

  test('of other programs is read too, and what is none is refused with its line', () => {
    const sum = 'b'.repeat(64);
    const of = (content: string) => [...parseChecksums(Buffer.from(content), 'the disc')];
    expect(of(`${sum} *./a b\n\n${sum}  c`)).toEqual([
      ['a b', sum],
      ['c', sum],
    ]);
    expect(of('')).toEqual([]);
    for (const line of ['nothing', `${sum}`, `${sum}  `, `${sum.slice(1)}  a`, `${sum.toUpperCase()}  a`]) {
      expect(() => of(`${sum}  a\n${line}\n`)).toThrow(
        'the disc, SHA256SUMS: line 2 is no checksum of a file',
      );
    }
  });
});
