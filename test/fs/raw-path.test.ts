import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absoluteRaw,
  baseName,
  checkEntryName,
  displayPath,
  isEntryName,
  joinRaw,
  parentPath,
  rawPath,
  storedRaw,
  toNodePath,
} from '../../dist/fs/index.js';
import { run, scratchFolder } from './scratch.js';

const rawBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
/** Bytes that look like escapes and UTF-8 often enough to be confused. */
const tricky = fc
  .array(
    fc.constantFrom('\\', 'x', '1', 'b', 'ff', '\x1b', '\xff', '\xc3', '\xa9', '\xe2\x80\xae', 'a', '\n'),
  )
  .map((parts) => parts.join(''));

function undisplay(text: string): string {
  const bytes: number[] = [];
  for (const part of text.match(/\\x[0-9a-f]{2}|[^\\]+|\\/gu) ?? []) {
    if (/^\\x/.test(part)) bytes.push(Number.parseInt(part.slice(2), 16));
    else bytes.push(...Buffer.from(part, 'utf8'));
  }
  return Buffer.from(bytes).toString('latin1');
}

describe('raw paths', () => {
  it('are absolute, normalised and hold the UTF-8 bytes of what the user wrote', () => {
    expect(rawPath('/a/./b//c/../\u00e9/')).toBe('/a/b/\xc3\xa9');
    expect(rawPath('x')).toBe(rawPath(`${process.cwd()}/x`));
    expect(() => rawPath('a\0b')).toThrow(/NUL/);
    expect(() => rawPath('')).toThrow();
  });

  it("go where the system goes behind a symlink that a '..' follows", () => {
    const folder = scratchFolder();
    run('mkdir', '-p', `${folder}/real/deep`, `${folder}/plain`);
    run('ln', '-s', 'real/deep', `${folder}/link`);
    expect(rawPath(`${folder}/link/../x`)).toBe(`${folder}/real/x`);
    expect(absoluteRaw('link/.././../y/', rawPath(folder))).toBe(`${folder}/y`);
    expect(rawPath(`${folder}/link/..`)).toBe(`${folder}/real`);
    // Nothing leads elsewhere: the names stay as they were written.
    run('ln', '-s', folder, `${folder}/plain/back`);
    expect(rawPath(`${folder}/plain/back/real/../x`)).toBe(`${folder}/plain/back/x`);
    expect(rawPath(`${folder}/missing/../x`)).toBe(`${folder}/x`);
    expect(rawPath('/../..')).toBe('/');
    expect(storedRaw(`${folder}/link/../x`)).toBe(`${folder}/x`);
  });

  it('reach node unchanged, whatever their bytes', () => {
    fc.assert(
      fc.property(rawBytes, (raw) => {
        const given = toNodePath(raw);
        expect(Buffer.from(given as string).toString('latin1')).toBe(raw);
      }),
    );
    expect(toNodePath('/plain')).toBe('/plain');
  });

  it('come apart as they were joined', () => {
    fc.assert(
      fc.property(
        rawBytes.filter((name) => name !== '' && !name.includes('/')),
        (name) => {
          for (const folder of [rawPath('/'), rawPath('/a/b')]) {
            const path = joinRaw(folder, name);
            expect(baseName(path)).toBe(name);
            expect(parentPath(path)).toBe(folder);
          }
        },
      ),
    );
    expect(parentPath(rawPath('/'))).toBe('/');
  });
});

describe('displayPath', () => {
  it('shows valid UTF-8 as text and all else escaped', () => {
    expect(displayPath('/home/caf\xc3\xa9')).toBe('/home/caf\u00e9');
    expect(displayPath('a\x1b[31m\xff\nb')).toBe('a\\x1b[31m\\xff\\x0ab');
    expect(displayPath('\xc2\x9b \xe2\x80\xae')).toBe('\\xc2\\x9b \\xe2\\x80\\xae');
    expect(displayPath('\xf0\x9f\x98\x80\xf0\x9f')).toBe('\u{1f600}\\xf0\\x9f');
    expect(displayPath('C:\\temp \\x41')).toBe('C:\\temp \\x5cx41');
    expect(displayPath('\xed\xa0\x80\xc0\xaf')).toBe('\\xed\\xa0\\x80\\xc0\\xaf'); // surrogate, overlong
  });

  it('keeps different bytes different and never shows a control character', () => {
    fc.assert(
      fc.property(fc.oneof(rawBytes, tricky), (raw) => {
        const shown = displayPath(raw);
        expect(undisplay(shown)).toBe(raw);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}]/u);
      }),
      { numRuns: 500 },
    );
  });
});

describe('entry names', () => {
  it('are any bytes that cannot lead out of a folder', () => {
    for (const name of ['a', '...', '\xff', '\n', ' ', '-rf', 'n'.repeat(255)]) {
      expect(isEntryName(name)).toBe(true);
    }
    for (const name of ['', '.', '..', 'a/b', '/', 'a\0b', '\0', 'n'.repeat(256), '\u0100']) {
      expect(isEntryName(name)).toBe(false);
      expect(() => checkEntryName(name)).toThrow(expect.objectContaining({ code: 'format' }));
    }
  });
});
