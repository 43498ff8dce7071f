import { InvalidArgumentError } from 'commander';

/** The longest that records take for a host, a tag, a job and a label (docs/format.md, "Snapshot"). */
const MOST_BYTES = 1024;

/** A parser for commander: a word that records keep, neither empty nor longer than they take. */
export function shortText(text: string): string {
  const bytes = Buffer.byteLength(text, 'utf8');
  if (bytes > 0 && bytes <= MOST_BYTES) return text;
  throw new InvalidArgumentError(bytes === 0 ? 'It is empty.' : `At most ${MOST_BYTES} bytes are possible.`);
}

/** Gathers the values of an option that may be given several times. */
export function gathered(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** As `gathered` for words that records keep. */
export function gatheredWords(value: string, before?: readonly string[]): readonly string[] {
  return gathered(shortText(value), before);
}
