/**
 * Raw bytes are kept as latin1 text, one character per byte. Here they become readable text: well-formed UTF-8 is
 * decoded, every byte that is not part of it is given to the caller.
 */

/** One step through raw text: a run of ASCII, one well-formed UTF-8 sequence (Unicode 15, table 3-7), or a stray byte. */
const STEP =
  /([^\x80-\xff]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})|[\x80-\xff]/g;

const NOT_ASCII = /[\x80-\xff]/;

/** Whether every byte is below 0x80, so that Node's UTF-8 encoding of the string is the string itself. */
export function isAscii(raw: string): boolean {
  return !NOT_ASCII.test(raw);
}

/** The text of raw bytes; `stray` says what stands for a byte (0x80 to 0xff) that belongs to no UTF-8 sequence. */
export function decodeRaw(raw: string, stray: (byte: number) => string): string {
  if (isAscii(raw)) return raw;
  return raw.replace(STEP, (step: string, wellFormed: string | undefined) =>
    wellFormed === undefined ? stray(step.charCodeAt(0)) : Buffer.from(step, 'latin1').toString('utf8'),
  );
}

/** Text to match: a byte that is not UTF-8 becomes one character of its own, a lone surrogate, equal only to itself. */
export function matchable(raw: string): string {
  return decodeRaw(raw, (byte) => String.fromCharCode(0xdc00 + byte));
}
