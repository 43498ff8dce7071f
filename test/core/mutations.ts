import * as fc from 'fast-check';

type Change = (bytes: Buffer) => Buffer;

/** A place in `bytes`, from a share of its length: mutations shrink well that way. */
function placeIn(bytes: Buffer, share: number): number {
  return Math.min(bytes.length, Math.floor(share * (bytes.length + 1)));
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
/** Bytes that mean something: tags of MessagePack, ends of ranges, small lengths. */
const telling = fc.constantFrom(
  0,
  1,
  0x7f,
  0x80,
  0x90,
  0xa0,
  0xc0,
  0xc4,
  0xc6,
  0xcf,
  0xd3,
  0xdb,
  0xdc,
  0xdd,
  0xdf,
  0xff,
);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(share, fc.integer({ min: 1, max: 255 })).map(([at, by]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    if (place < bytes.length) bytes[place]! ^= by;
    return bytes;
  }),
  fc.tuple(share, telling).map(([at, value]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    if (place < bytes.length) bytes[place] = value;
    return bytes;
  }),
  fc.tuple(share, fc.uint8Array({ maxLength: 12 })).map(([at, added]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    return Buffer.concat([bytes.subarray(0, place), added, bytes.subarray(place)]);
  }),
  fc.tuple(share, fc.nat({ max: 40 })).map(([at, count]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + count)]);
  }),
  fc.tuple(share, fc.nat({ max: 60 })).map(([at, count]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    return Buffer.concat([
      bytes.subarray(0, place),
      bytes.subarray(place, place + count),
      bytes.subarray(place),
    ]);
  }),
  share.map((at) => (bytes: Buffer) => Buffer.from(bytes.subarray(0, placeIn(bytes, at)))),
  fc.tuple(share, fc.nat({ max: 0xffffffff })).map(([at, value]) => (bytes: Buffer) => {
    const place = placeIn(bytes, at);
    if (place + 4 <= bytes.length) bytes.writeUInt32LE(value, place);
    return bytes;
  }),
);

/** One of the samples, a few bytes of it changed, added, taken away or repeated; now and then nothing but noise. */
export function mutated(samples: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const changed = fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([sample, changes]) => {
      let bytes: Buffer = Buffer.from(sample);
      for (const each of changes) bytes = each(bytes);
      return bytes;
    });
  const noise: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: noise });
}
