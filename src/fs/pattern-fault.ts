import { isPattern } from './pattern-list.js';

const CLASSES: ReadonlySet<string> = new Set(
  'alnum alpha blank cntrl digit graph lower print punct space upper xdigit'.split(' '),
);

/**
 * Why a pattern of gitignore(5) can never match anything: what git passes over without a word is a mistake where a backup
 * is asked to leave something out. Undefined for a sound one, for a comment and for nothing at all.
 */
export function patternFault(pattern: string): string | undefined {
  if (!isPattern(pattern)) return undefined;
  const body = pattern.replace(/^!/, '');
  if (/^ *$/.test(body)) return "'!' stands for nothing alone";
  for (let i = 0; i < body.length; i++) {
    if (body[i] === '\\') {
      i++;
      if (i === body.length) return "nothing follows the '\\' at its end";
    } else if (body[i] === '[') {
      const end = endOfBracket(body, i);
      if (typeof end === 'string') return end;
      i = end;
    }
  }
  return undefined;
}

/** Where the bracket expression that begins at `start` ends, or what is wrong with it. As git's wildmatch.c reads it. */
function endOfBracket(body: string, start: number): number | string {
  const open = "the '[' is never closed";
  let i = start + 1;
  if (body[i] === '!' || body[i] === '^') i++;
  // What is before a '-' is the beginning of a range, if it is a single character.
  let isCharacter = false;
  // A ']' that comes first is one of the characters.
  for (let first = true; first || body[i] !== ']'; first = false, i++) {
    if (i >= body.length) return open;
    const isRange: boolean = body[i] === '-' && isCharacter && i + 1 < body.length && body[i + 1] !== ']';
    // Its end is one too, even a '[' with which a class would begin elsewhere.
    if (isRange) i++;
    isCharacter = !isRange;
    if (body[i] === '\\') {
      i++;
      if (i >= body.length) return open;
    } else if (!isRange && body[i] === '[' && body[i + 1] === ':') {
      const end = body.indexOf(']', i + 2);
      if (end === -1) return open;
      if (end === i + 2 || body[end - 1] !== ':') continue;
      const name = body.slice(i + 2, end - 1);
      if (!CLASSES.has(name)) return `there is no class [:${name}:]`;
      isCharacter = false;
      i = end;
    }
  }
  return i;
}
