/**
 * Wildcards of gitignore(5) in time that grows with pattern times path: a regular expression tries all ways to share a path
 * out among many stars, of which there may be more than a lifetime is long. Exactly as git's wildmatch.c with WM_PATHNAME.
 */

type CharTest = (char: string) => boolean;

/**
 * star: any of one name; dirs: nothing, or folders with the '/' behind them; all: anything. A test takes one character.
 */
type Token = CharTest | 'star' | 'dirs' | 'all';

/** So many runs of stars are harmless to a regular expression. */
const MOST_STARS = 3;

/** Whether a pattern, without its '!', is one that takes a regular expression too long. */
export function hasManyStars(body: string): boolean {
  return (body.match(/\*+/g)?.length ?? 0) > MOST_STARS;
}

/** The test of a sound pattern without its '!', for the text that it is compared with: a name or a path, without '/' at its end. */
export function wildMatcher(body: string, ignoreCase: boolean): (text: string, isFolder: boolean) => boolean {
  const trimmed = withoutSpaces(body);
  const onlyFolders = trimmed.endsWith('/');
  const tokens = tokensOf(
    trimmed.slice(trimmed.startsWith('/') ? 1 : 0, onlyFolders ? -1 : undefined),
    ignoreCase,
  );
  return (text, isFolder) => (isFolder || !onlyFolders) && matches(tokens, text);
}

/** Those at the end count only behind a backslash. */
function withoutSpaces(body: string): string {
  let end = 0;
  for (let i = 0; i < body.length; i++) {
    if (body[i] === '\\') end = ++i + 1;
    else if (body[i] !== ' ') end = i + 1;
  }
  return body.slice(0, end);
}

function matches(tokens: readonly Token[], text: string): boolean {
  let now = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  const enter = (states: Uint8Array, from: number): void => {
    for (let i = from; states[i] === 0; i++) {
      states[i] = 1;
      if (typeof tokens[i] !== 'string') return;
    }
  };
  enter(now, 0);
  for (const char of text.split('')) {
    next.fill(0);
    for (const [i, token] of tokens.entries()) {
      if (now[i] === 0) continue;
      if (typeof token === 'function') {
        if (token(char)) enter(next, i + 1);
      } else if (token === 'dirs') {
        // In the middle of a name it cannot end.
        next[i] = 1;
        if (char === '/') enter(next, i + 1);
      } else if (token === 'all' || char !== '/') enter(next, i);
    }
    [now, next] = [next, now];
  }
  return now[tokens.length] === 1;
}

function tokensOf(body: string, ignoreCase: boolean): Token[] {
  const tokens: Token[] = [];
  const add = (test: CharTest): void => {
    tokens.push(
      ignoreCase ? (char) => test(char) || test(char.toLowerCase()) || test(char.toUpperCase()) : test,
    );
  };
  for (let i = 0; i < body.length; i++) {
    const char = body[i]!;
    if (char === '?') add((each) => each !== '/');
    else if (char === '[') {
      const bracket = bracketAt(body, i);
      // Within the test, for letter case must not turn a '!' around.
      const { isNegated } = bracket;
      const has: CharTest = ignoreCase
        ? (each) => bracket.has(each) || bracket.has(each.toLowerCase()) || bracket.has(each.toUpperCase())
        : bracket.has;
      tokens.push((each) => each !== '/' && has(each) !== isNegated);
      i = bracket.end;
    } else if (char === '*') {
      const start = i;
      while (body[i + 1] === '*') i++;
      const isWhole =
        i > start && (start === 0 || body[start - 1] === '/') && /^(?:$|\\?\/)/.test(body.slice(i + 1));
      if (!isWhole) tokens.push('star');
      else if (body[i + 1] !== '/') tokens.push('all');
      else {
        tokens.push('dirs');
        i++;
      }
    } else {
      const literal = char === '\\' ? body[++i] : char;
      add((each) => each === literal);
    }
  }
  return tokens;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[^ -~\x80-\uffff]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** The bracket expression that begins at `start`, and where it ends. */
function bracketAt(body: string, start: number): { has: CharTest; isNegated: boolean; end: number } {
  const tests: CharTest[] = [];
  let i = start + 1;
  const isNegated = body[i] === '!' || body[i] === '^';
  if (isNegated) i++;
  let before: string | undefined;
  // A ']' that comes first is one of the characters.
  for (let isFirst = true; i < body.length && (isFirst || body[i] !== ']'); isFirst = false, i++) {
    let char = body[i]!;
    const named = char === '[' ? /^\[:([a-z]+):\]/.exec(body.slice(i)) : null;
    if (char === '-' && before !== undefined && i + 1 < body.length && body[i + 1] !== ']') {
      i += body[i + 1] === '\\' ? 2 : 1;
      const [low, high] = [before, body[i]!];
      tests.push((each) => each >= low && each <= high);
      before = undefined;
    } else if (named !== null) {
      const regex = CLASSES[named[1]!];
      tests.push((each) => regex?.test(each) === true);
      i += named[0].length - 1;
      before = undefined;
    } else {
      if (char === '\\') char = body[++i]!;
      const literal = char;
      tests.push((each) => each === literal);
      before = literal;
    }
  }
  return { has: (char) => tests.some((test) => test(char)), isNegated, end: i };
}
