import { fromLatin1 } from '../core/index.js';
import { displayPath } from '../fs/index.js';

/** Raw names (bytes as latin1 text) in the output for programs. */

/**
 * A field for a raw name: the text when it is UTF-8, else a form for display and the bytes in Base64 (docs/json.md).
 */
export function rawField(field: string, raw: string): Readonly<Record<string, string>> {
  const bytes = fromLatin1(raw);
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return { [field]: text };
  return { [field]: text, [`${field}Base64`]: bytes.toString('base64') };
}

/** A list of raw names for programs: the texts, and all of them in Base64 beside when one is not UTF-8. */
export function rawListField(
  field: string,
  raw: readonly string[],
): Readonly<Record<string, readonly string[]>> {
  const texts = raw.map((each) => fromLatin1(each).toString('utf8'));
  const isExact = texts.every((text, i) => Buffer.from(text, 'utf8').equals(fromLatin1(raw[i]!)));
  const plain = { [field]: texts };
  if (isExact) return plain;
  const encoded = raw.map((each) => fromLatin1(each).toString('base64'));
  return { ...plain, [`${field}Base64`]: encoded };
}

/** Text of strangers (host names, tags, comments) for people: nothing in it can steer a terminal. */
export function displayText(text: string): string {
  return displayPath(Buffer.from(text, 'utf8').toString('latin1'));
}

const STEERING = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A message for people, as it may come from anywhere: from a store, say, that puts into its errors what it likes. Nothing in it can
 * steer a terminal; what `displayText` has made of names in it stays, and so do its lines and tabs.
 */
export function terminalText(text: string): string {
  return text.replace(STEERING, (control) =>
    control === '\n' || control === '\t' ? control : displayText(control),
  );
}
