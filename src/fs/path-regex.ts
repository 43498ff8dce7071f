import { messageOf } from '../core/index.js';
import { matchable } from './raw-text.js';

/** The regular expression that raw text is; `(?i)` in front ignores the case of letters. Throws SyntaxError. */
export function pathRegex(text: string): RegExp {
  const ignoreCase = text.startsWith('(?i)');
  return new RegExp(matchable(ignoreCase ? text.slice(4) : text), ignoreCase ? 'iu' : 'u');
}

/** What is wrong with a regular expression; undefined: nothing. */
export function regexFault(text: string): string | undefined {
  if (text === '' || text === '(?i)') return 'it is empty, and everything would match';
  try {
    pathRegex(text);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, '');
  }
}
