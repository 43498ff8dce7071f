import { createRequire } from 'node:module';
import type { PatternRule } from './filter-rules.js';
import { once } from './once.js';
import { matchable } from './raw-text.js';
import { hasManyStars, wildMatcher } from './wildmatch.js';

type IgnoreFactory = typeof import('ignore');
type Ignore = ReturnType<IgnoreFactory>;

const loadIgnore = once(() => createRequire(import.meta.url)('ignore') as IgnoreFactory);

/** The matcher keeps every text it was asked about, and grows slow with them; above this many it is made anew, for next to nothing. */
const MOST_REMEMBERED = 1024;

/**
 * Says whether any of some patterns matches a text itself, whatever they make of the folders above. The library cannot be
 * asked that for plain patterns; but as exceptions ("!") none of them leaves a folder out, and each tells of its match.
 */
class AnyOf {
  private readonly compiled: Ignore;
  private current: Ignore;
  private asked = 0;

  constructor(
    bodies: readonly string[],
    private readonly ignoreCase: boolean,
  ) {
    this.compiled = loadIgnore()({ ignorecase: ignoreCase });
    // One line each, ended as a line is: the library reads the text of a file as git does, and a list in another way.
    for (const body of bodies)
      this.compiled.add(body.includes('\n') ? [{ pattern: `!${body}` }] : `!${body}\r\n`);
    this.current = this.compiled;
  }

  matches(text: string): boolean {
    if (++this.asked > MOST_REMEMBERED) {
      this.current = loadIgnore()({ ignorecase: this.ignoreCase }).add(this.compiled);
      this.asked = 0;
    }
    return this.current.test(text).unignored;
  }
}

/** A pattern as it counts in one folder, and the rule it stands for. */
export interface PlacedPattern {
  /** Raw, with its '!'. */
  readonly text: string;
  readonly rule: PatternRule;
}

interface CompiledPattern {
  readonly rule: PatternRule;
  readonly body: string;
  /** It is compared with the last name of a path alone. */
  readonly isOfName: boolean;
  /** What it has to be equal to, when nothing in it stands for anything else. */
  readonly literal: string | undefined;
  /** Of one with so many stars that the library would take for ever. */
  readonly starry: ((text: string, isFolder: boolean) => boolean) | undefined;
  /** Made when it is first needed: mostly a pattern is one of many that do not match. */
  alone: AnyOf | undefined;
}

/** Patterns of gitignore(5) for the folder they belong to. */
export class PatternList {
  private readonly patterns: readonly CompiledPattern[];
  private readonly names = new Set<string>();
  private readonly paths = new Set<string>();
  /** All others at once, by what they are compared with and whether letter case counts: mostly none matches. */
  private readonly starry: readonly CompiledPattern[];
  private readonly screens: readonly { readonly isOfName: boolean; readonly any: AnyOf }[];

  constructor(placed: readonly PlacedPattern[]) {
    this.patterns = placed.filter(({ text }) => isPattern(text)).map(compiled);
    const screens: { isOfName: boolean; any: AnyOf }[] = [];
    for (const isOfName of [true, false]) {
      for (const ignoreCase of [false, true]) {
        const some = this.patterns.filter(
          (each) =>
            each.literal === undefined &&
            each.starry === undefined &&
            each.isOfName === isOfName &&
            each.rule.ignoreCase === ignoreCase,
        );
        if (some.length === 0) continue;
        const bodies = some.map(({ body }) => body);
        screens.push({ isOfName, any: new AnyOf(bodies, ignoreCase) });
      }
    }
    this.screens = screens;
    this.starry = this.patterns.filter(({ starry }) => starry !== undefined);
    for (const { literal, isOfName } of this.patterns) {
      if (literal !== undefined) (isOfName ? this.names : this.paths).add(literal);
    }
  }

  /**
   * The last pattern that matches an entry itself, which may be an exception; what matches a folder above it is for the
   * caller to know. `path` is matchable text, relative to the folder of the patterns.
   */
  lastMatch(path: string, isFolder: boolean): PatternRule | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const end = isFolder ? '/' : '';
    const mayMatch =
      this.names.has(name) ||
      this.paths.has(path) ||
      this.screens.some(({ isOfName, any }) => any.matches((isOfName ? name : path) + end)) ||
      this.starry.some(({ isOfName, starry }) => starry!(isOfName ? name : path, isFolder));
    if (!mayMatch) return undefined;
    for (let i = this.patterns.length - 1; i >= 0; i--) {
      const each = this.patterns[i]!;
      const compared = each.isOfName ? name : path;
      if (each.literal !== undefined && each.literal !== compared) continue;
      if (each.starry !== undefined) {
        if (each.starry(compared, isFolder)) return each.rule;
        continue;
      }
      each.alone ??= new AnyOf([each.body], each.rule.ignoreCase);
      if (each.alone.matches(compared + end)) return each.rule;
    }
    return undefined;
  }
}

function compiled({ text, rule }: PlacedPattern): CompiledPattern {
  const whole = matchable(text);
  const body = whole.startsWith('!') ? whole.slice(1) : whole;
  const isOfName = !/\/(?! *$)/.test(body);
  const isLiteral =
    !rule.ignoreCase && /^\/?[^*?[\\/\r\n]+(\/[^*?[\\/\r\n]+)*\/?$/.test(body) && !body.endsWith(' ');
  const literal = isLiteral ? body.replace(/^\/|\/$/g, '') : undefined;
  const starry = hasManyStars(body) ? wildMatcher(body, rule.ignoreCase) : undefined;
  return { rule, body, isOfName, literal, starry, alone: undefined };
}

/** Whether a line is a pattern, and neither a comment nor empty. */
export function isPattern(line: string): boolean {
  return !line.startsWith('#') && !/^ *$/.test(line);
}

/** Whether a pattern takes back what those before it say. */
export function isException({ text }: PatternRule): boolean {
  return text.startsWith('!');
}

/** The lines of a file of the format of .gitignore, as they stand there; raw. */
export function patternLines(content: Uint8Array): readonly string[] {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
  const lines = text.replace(/^\xef\xbb\xbf/, '').split('\n');
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}
