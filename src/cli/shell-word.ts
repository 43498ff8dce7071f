import { isUtf8 } from 'node:buffer';
import { displayPath } from '../fs/index.js';

/**
 * Raw text, such as a path, as a word for the shell, to be typed as it is shown. Undefined where no argument can be it, because its
 * bytes are not UTF-8.
 */
export function shellWord(raw: string): string | undefined {
  const bytes = Buffer.from(raw, 'latin1');
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  if (displayPath(raw) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  // Bash, ksh and zsh know this one; what must not reach a terminal is written as the numbers of its bytes.
  const escaped = Array.from(text, (letter) => {
    if (/^[ -~]$/.test(letter)) return letter.replace(/['\\]/, '\\$&');
    return Array.from(Buffer.from(letter, 'utf8'), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(
      '',
    );
  });
  return `$'${escaped.join('')}'`;
}
