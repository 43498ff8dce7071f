import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DamagedError, FormatError } from '../../dist/core/index.js';
import { keysFrom } from '../../dist/repo/index.js';
import type { SealedKind } from '../../dist/repo/keys.js';
import { decodeHeader, encodeHeader, newHeader } from '../../dist/repo/object-header.js';
import { TAG_BYTES } from '../../dist/repo/seal.js';
import { runs } from '../core/runs.js';
import { algorithms, encryptedKeys, MASTER, MODES, plainKeys, REPOSITORY_ID } from './parts.js';

const SALT = Buffer.alloc(32, 0x33);
const CONTEXT = [Buffer.from('header'), Buffer.from('name')];

describe.each(MODES)('seals, $mode', ({ keys }) => {
  const seal = keys.sealFor('pack', 0, SALT);
  const sealed = (nonce: number, context: readonly Uint8Array[], plain: Uint8Array): Buffer =>
    Buffer.concat(seal.seal(nonce, context, plain));

  test('open to what was sealed, whole or in parts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 0xffffffff }), (plain, nonce) => {
        const [body, tag] = seal.seal(nonce, CONTEXT, plain);
        expect(tag.byteLength).toBe(TAG_BYTES);
        const whole = Buffer.concat([body, tag]);
        expect(Buffer.from(plain).equals(seal.open(nonce, CONTEXT, whole, 'x'))).toBe(true);
        expect(Buffer.from(plain).equals(seal.openParts(nonce, CONTEXT, body, tag, 'x'))).toBe(true);
      }),
      runs(100),
    );
  });

  test('reject every single bit that is flipped', () => {
    const bytes = sealed(7, CONTEXT, Buffer.from('some plain bytes'));
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => seal.open(7, CONTEXT, flipped, 'packs/x')).toThrow(DamagedError);
    }
  });

  test('reject another nonce, another context, and what is cut short', () => {
    const bytes = sealed(7, CONTEXT, Buffer.from('some plain bytes'));
    const wrong: (readonly [number, readonly Uint8Array[], Uint8Array])[] = [
      [8, CONTEXT, bytes],
      [0xffffffff, CONTEXT, bytes],
      [7, [Buffer.from('header'), Buffer.from('nam')], bytes],
      [7, [Buffer.from('Header'), Buffer.from('name')], bytes],
      [7, [], bytes],
      [7, CONTEXT, bytes.subarray(0, -1)],
      [7, CONTEXT, bytes.subarray(1)],
      [7, CONTEXT, bytes.subarray(0, TAG_BYTES - 1)],
      [7, CONTEXT, new Uint8Array(0)],
    ];
    for (const [nonce, context, stored] of wrong) {
      expect(() => seal.open(nonce, context, stored, 'packs/x')).toThrow(DamagedError);
    }
  });
});

describe('keys', () => {
  test('every kind, epoch, salt, repository and master key seals under a key of its own', () => {
    const other = keysFrom({ repositoryId: Buffer.alloc(16, 1), master: MASTER }, algorithms);
    const otherMaster = keysFrom({ repositoryId: REPOSITORY_ID, master: Buffer.alloc(32, 1) }, algorithms);
    const kinds: SealedKind[] = ['pack', 'index', 'record', 'control'];
    const seals = [
      ...kinds.map((kind) => encryptedKeys.sealFor(kind, 0, SALT)),
      encryptedKeys.sealFor('pack', 1, SALT),
      encryptedKeys.sealFor('pack', 0, Buffer.alloc(32, 0x34)),
      other.sealFor('pack', 0, SALT),
      otherMaster.sealFor('pack', 0, SALT),
    ];
    const sealed = seals.map((seal) => Buffer.concat(seal.seal(0, CONTEXT, Buffer.from('plain'))));
    for (const [i, seal] of seals.entries()) {
      for (const [j, bytes] of sealed.entries()) {
        if (i === j) expect(seal.open(0, CONTEXT, bytes, 'x').length).toBe(5);
        else expect(() => seal.open(0, CONTEXT, bytes, 'x')).toThrow(DamagedError);
      }
    }
  });

  test('chunk ids of data and trees, of repositories, and without encryption all differ', () => {
    const other = keysFrom({ repositoryId: Buffer.alloc(16, 1), master: MASTER }, algorithms);
    const plain = Buffer.from('the same content');
    const ids = [encryptedKeys, other, plainKeys].flatMap((keys) => [
      keys.chunkIds('data').digest(plain).toString('hex'),
      keys.chunkIds('tree').digest(plain).toString('hex'),
      keys.linkGroups().digest(plain).toString('hex'),
      Buffer.from(keys.configMac(plain)).toString('hex'),
    ]);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('object headers', () => {
  const header = newHeader('pack', 2, true);
  const bytes = encodeHeader(header);
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = value;
    return copy;
  };
  const decodeIt =
    (from: Uint8Array, encrypted = true) =>
    () =>
      decodeHeader(from, 'pack', encrypted, 'packs/x');

  test('read back as written, with a salt that never occurs twice', () => {
    expect(decodeIt(bytes)()).toEqual({ ...header, salt: Uint8Array.from(header.salt) });
    expect(newHeader('pack', 2, true).salt).not.toEqual(header.salt);
  });

  test('have the bytes that the format says', () => {
    expect(bytes.toString('hex')).toBe(
      `43425250${'0100'}${'3800'}${'00000000'}${'00000000'}${'01'}${'02'}${'0000'}${'00000000'}${Buffer.from(header.salt).toString('hex')}`,
    );
  });

  test('of a newer version or with a required feature are told apart from damage', () => {
    const newer = expect.objectContaining({ code: 'newer-format' });
    expect(decodeIt(changed(4, 2))).toThrow(newer);
    expect(decodeIt(changed(5, 1))).toThrow(newer);
    for (const at of [8, 9, 10, 11]) expect(decodeIt(changed(at, 4))).toThrow(newer);
  });

  test('with an optional feature are read', () => {
    for (const at of [12, 13, 14, 15]) expect(decodeIt(changed(at, 4))().kind).toBe(2);
  });

  test('of another magic, length or scheme are refused', () => {
    expect(decodeIt(changed(3, 0x49))).toThrow(FormatError);
    expect(decodeIt(changed(6, 57))).toThrow(FormatError);
    expect(decodeIt(changed(16, 2))).toThrow(FormatError);
    expect(decodeIt(changed(18, 1))).toThrow(FormatError);
    expect(decodeIt(bytes, false)).toThrow(/key scheme 1 in a repository of scheme 0/);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeIt(bytes.subarray(0, length))).toThrow(FormatError);
    }
  });
});
