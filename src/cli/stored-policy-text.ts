import type { PolicyRule } from './policy-flags.js';
import { displayText } from './raw-names.js';

/** Rules as options that a shell takes: `--keep-daily 7 --keep-tag 'two words'`. */
export function rulesText(rules: readonly PolicyRule[]): string {
  return rules.map(({ name, value }) => `--${name} ${quoted(displayText(value))}`).join(' ');
}

function quoted(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
