import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryBackend } from '../../dist/backends/index.js';
import {
  CbrError,
  type Codec,
  decode,
  encode,
  LIMITS,
  MessagePackReader,
  type ObjectDigest,
  toHex,
} from '../../dist/core/index.js';
import { encodeBlockHeader } from '../../dist/repo/block.js';
import {
  type ConfigRecord,
  configRecord,
  createConfig,
  createKeySlot,
  decodeRecord,
  decodeSegment,
  encodeRecord,
  encodeSegment,
  forgottenRecord,
  heartbeatRecord,
  type Keys,
  keyRecord,
  leaseRecord,
  listKeySlots,
  markRecord,
  openBlock,
  openPackHeader,
  openWholePack,
  outcomeRecord,
  readConfigs,
  readPackTable,
  sealedConfig,
  sessionRecord,
} from '../../dist/repo/index.js';
import { RECORD_NONCE } from '../../dist/repo/keys.js';
import { decodeHeader, HEADER_BYTES } from '../../dist/repo/object-header.js';
import { decodeTail, encodeTail } from '../../dist/repo/pack-format.js';
import { decodePackTable, encodePackTable } from '../../dist/repo/pack-table.js';
import { readPayload, writePayload } from '../../dist/repo/payload.js';
import { buildSegments } from '../../dist/repo/segment-builder.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import {
  algorithms,
  encryptedKeys,
  MASTER,
  noise,
  packsOf,
  plainKeys,
  REPOSITORY_ID,
  randomDigest,
  randomSession,
  recordContext,
  scratchFolder,
} from './parts.js';

/** Every decoder on mutated and random bytes: a value, or an error that says what is wrong with them. */

const { zstd } = algorithms;
const folder = scratchFolder();
const EXPECTED = /^(format|damaged|newer-format)$/;

type Decode = (bytes: Buffer) => unknown;

async function holds(decoding: Decode, bytes: Buffer): Promise<void> {
  try {
    await decoding(bytes);
  } catch (error) {
    if (!(error instanceof CbrError) || !EXPECTED.test(error.code)) throw error;
  }
}

function fuzz(name: string, samples: readonly Uint8Array[], decoding: Decode, usual = 1500): void {
  test(name, async () => {
    for (const sample of samples) await decoding(Buffer.from(sample));
    await fc.assert(
      fc.asyncProperty(mutated(samples), (bytes) => holds(decoding, bytes)),
      runs(usual),
    );
  });
}

function sha256(bytes: Uint8Array): ObjectDigest {
  return toHex(createHash('sha256').update(bytes).digest()) as ObjectDigest;
}

const id16 = noise(16, 'id');
const id32 = noise(32, 'id');
const outcome = {
  outcome: 'commit' as const,
  root: { id: id32, length: 77 },
  segments: [id32, noise(32, 'other')],
  seen: [id16],
  about: encode(heartbeatRecord, { number: 1 }),
};
const session = {
  host: 'here',
  machine: 'facade',
  pid: 4711,
  startTime: 12_345_678,
  bootId: 'b0071d',
  pidNamespace: 4_026_531_836,
  started: 1_700_000_000,
  program: 'cbr 0.1.0',
};
const config: ConfigRecord = {
  repository: Uint8Array.from(REPOSITORY_ID),
  created: 1_700_000_000,
  encrypted: true,
  chunkMin: 16_384,
  chunkTarget: 65_536,
  chunkMax: 262_144,
  blockBytes: 4_194_304,
  packBytes: 33_554_432,
  compression: 3,
  pad: false,
};
const key = {
  label: 'laptop',
  created: 1_700_000_000,
  kdf: 'argon2id' as const,
  salt: id32,
  memoryKiB: 65_536,
  passes: 3,
  lanes: 1,
  commitment: id32,
  wrapped: noise(48, 'wrapped'),
};

describe('contents of records', () => {
  const contents: readonly (readonly [string, Codec<unknown>, readonly Uint8Array[]])[] = [
    ['config', configRecord, [encode(configRecord, config)]],
    [
      'sealed config',
      sealedConfig,
      [encode(sealedConfig, { config: encode(configRecord, config), mac: id32 })],
    ],
    ['key', keyRecord, [encode(keyRecord, key)]],
    [
      'outcome',
      outcomeRecord,
      [
        encode(outcomeRecord, outcome),
        encode(outcomeRecord, { outcome: 'fence', segments: [id32], seen: [] }),
      ],
    ],
    ['session', sessionRecord, [encode(sessionRecord, session)]],
    ['heartbeat', heartbeatRecord, [encode(heartbeatRecord, { number: 2 ** 40 })]],
    [
      'forgotten',
      forgottenRecord,
      [encode(forgottenRecord, { outcome: encode(outcomeRecord, outcome), by: 'me', time: -5 })],
    ],
    ['mark', markRecord, [encode(markRecord, { packs: [id32, noise(32, 'more')] })]],
    [
      'lease',
      leaseRecord,
      [
        encode(leaseRecord, { role: 'holder', holder: session, segments: [id32] }),
        encode(leaseRecord, { role: 'closing', segments: [] }),
      ],
    ],
  ];
  for (const [name, codec, samples] of contents) {
    fuzz(name, samples, (bytes) => {
      const value = decode(codec, bytes, name);
      // What is accepted is canonical: it has no second encoding.
      expect(encode(codec, value).equals(bytes)).toBe(true);
    });
  }

  fuzz(
    'any MessagePack value',
    contents.flatMap(([, , samples]) => samples),
    (bytes) => {
      const reader = new MessagePackReader(bytes, 'value');
      while (!reader.atEnd) reader.skip();
    },
  );
});

describe.each([
  { mode: 'encrypted', keys: encryptedKeys },
  { mode: 'unencrypted', keys: plainKeys },
])('stored objects, $mode', ({ keys }) => {
  const context = recordContext(keys);
  const stored = encodeRecord('snapshots', 'name', outcomeRecord, outcome, context);
  fuzz('records', [stored], (bytes) => decodeRecord('snapshots', 'name', outcomeRecord, bytes, context), 500);
  fuzz('records whose digest fits', [stored.subarray(0, -32)], (content) => {
    const bytes = Buffer.concat([content, createHash('sha256').update(content).digest()]);
    return decodeRecord('snapshots', 'name', outcomeRecord, bytes, context);
  });
  fuzz('object headers', [stored.subarray(0, HEADER_BYTES)], (bytes) =>
    decodeHeader(bytes, 'record', keys.encrypted, 'snapshots/name'),
  );

  const chunks = [noise(300, 1), Buffer.alloc(5000, 'text '), noise(20, 2)];
  const [pack] = packsOf(folder, keys, 'data', chunks, { blockBytes: 4000 });
  const packBytes = readFileSync(pack!.path);
  const opened = openPackHeader(packBytes, keys, 'pack');
  const block = packBytes.subarray(HEADER_BYTES, HEADER_BYTES + pack!.summary.blocks[0]!.stored);
  fuzz('packs', [packBytes], (bytes) => openWholePack(bytes, sha256(bytes), keys, zstd), 500);
  fuzz('packs, read from their end', [packBytes], async (bytes) => {
    const backend = new MemoryBackend();
    await backend.write('packs', sha256(bytes), bytes);
    return readPackTable(backend, sha256(bytes), keys, zstd);
  });
  fuzz('blocks', [block], (bytes) => openBlock(bytes, 0, opened, zstd, 'pack'), 500);
  fuzz('blocks behind a fitting header', [block.subarray(24)], (sealed) => {
    const bytes = Buffer.concat([encodeBlockHeader(0, sealed.length, opened.salt), sealed]);
    return openBlock(bytes, 0, opened, zstd, 'pack');
  });
});

/** Bytes that a key holder with a faulty program sealed: all that the seal does not protect against. */
describe('what is inside a seal', () => {
  const payloadOf = (plain: Uint8Array, lengths: readonly number[]): Buffer => {
    const room = Buffer.alloc(plain.byteLength + 4 * lengths.length + 100);
    return Buffer.from(writePayload(room, plain, lengths, { zstd, level: 3, pad: false }));
  };
  const text = Buffer.alloc(3000, 'words and ');
  const payloads = [payloadOf(text, [1000, 2000]), payloadOf(noise(100, 'raw'), [100]), payloadOf(text, [])];
  fuzz('payloads', payloads, (bytes) => readPayload(bytes, zstd, LIMITS.blockPlain, 'block'), 1500);

  test('payloads, by the decompressor of machines without a compiler', async () => {
    const { loadZstd } = await import('../../dist/repo/algorithms/zstd.js');
    const portable = await loadZstd(true);
    await fc.assert(
      fc.asyncProperty(mutated(payloads), (bytes) =>
        holds((each) => readPayload(each, portable, LIMITS.blockPlain, 'block'), bytes),
      ),
      runs(400),
    );
  });

  const table = {
    blocks: [
      { stored: 100, plain: 30, chunks: 2 },
      { stored: 60, plain: 5, chunks: 1 },
    ],
    ids: noise(96, 'ids'),
    lengths: Uint32Array.of(10, 20, 5),
  };
  fuzz('pack tables', [encodePackTable(table)], (bytes) => decodePackTable(bytes, 'table'));
  fuzz('tails', [encodeTail(500)], (bytes) => decodeTail(bytes, 'pack'));

  const segments = buildSegments({ kind: 'session', session: randomSession() }, [
    { summary: { name: randomDigest(), kind: 'data', size: 500, blocks: table.blocks }, table },
  ]);
  fuzz(
    'index segments',
    [contentOf(encodeSegment(segments[0]!, plainKeys, recordContext(plainKeys).compression).bytes)],
    (content) => {
      const bytes = sealedAgain(content, plainKeys);
      return decodeSegment(bytes, sha256(bytes), plainKeys, zstd);
    },
  );

  function contentOf(bytes: Buffer): Uint8Array {
    return readPayload(bytes.subarray(HEADER_BYTES, -16), zstd, LIMITS.record, 'segment').plain;
  }

  function sealedAgain(content: Uint8Array, keys: Keys): Buffer {
    const sample = encodeSegment(segments[0]!, keys, recordContext(keys).compression).bytes;
    const header = sample.subarray(0, HEADER_BYTES);
    const { salt } = decodeHeader(header, 'index', keys.encrypted, 'segment');
    const sealed = keys.sealFor('index', 0, salt).seal(RECORD_NONCE, [header], payloadOf(content, []));
    return Buffer.concat([header, ...sealed]);
  }
});

describe('what is read before a key is open', async () => {
  const storedOf = async (kind: 'config' | 'keys', fill: (backend: MemoryBackend) => Promise<unknown>) => {
    const backend = new MemoryBackend();
    await fill(backend);
    for await (const { name } of backend.list(kind)) return backend.read(kind, name);
    throw new Error('nothing was written');
  };
  const withDigest = (content: Buffer): Buffer =>
    Buffer.concat([content, createHash('sha256').update(content).digest()]);

  const slot = await storedOf('keys', (backend) =>
    createKeySlot(
      backend,
      REPOSITORY_ID,
      MASTER,
      Buffer.from('secret'),
      { label: 'laptop', created: 0, cost: { memoryKiB: 32_768, passes: 1, lanes: 1 } },
      algorithms,
    ),
  );
  fuzz('key slots', [slot.subarray(0, -32)], async (content) => {
    const backend = new MemoryBackend();
    await backend.write('keys', toHex(id16), withDigest(content));
    const { slots, damaged } = await listKeySlots(backend);
    expect(slots.length + damaged.length).toBe(1);
  });

  const storedConfig = await storedOf('config', (backend) => createConfig(backend, config, encryptedKeys));
  fuzz('configs', [storedConfig.subarray(0, -32)], async (content) => {
    const backend = new MemoryBackend();
    await backend.write('config', '1', withDigest(content));
    return readConfigs(backend);
  });
});

test('none of this took much memory', () => {
  // KiB at the highest; the largest single thing that may be allocated is a record of 64 MiB.
  expect(process.resourceUsage().maxRSS).toBeLessThan(1_500_000);
});
