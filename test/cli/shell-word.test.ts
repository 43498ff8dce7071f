import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from '../../dist/cli/shell-word.js';

const raw = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

test.each([
  '/home/ann/letter',
  '/it\'s $HOME `here` "there" \\x09 *',
  '/émile',
  "/tab\there's \\x and é",
  '/line\nbreak',
  '/right\u202eleft \x1b[31m',
])('%j is a word that the shell reads as it is', (path) => {
  const word = shellWord(raw(path))!;
  expect(execFileSync('bash', ['-c', `printf %s ${word}`]).toString('utf8')).toBe(path);
  expect(word).not.toMatch(/[\p{Cc}\u202e]/u);
});

test('what is not UTF-8 is no word', () => {
  expect(shellWord('/caf\xe9')).toBeUndefined();
});
