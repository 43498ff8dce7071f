import { readFileSync } from 'node:fs';
import { CbrError, messageOf } from '../core/index.js';
import { displayText } from './raw-names.js';

/**
 * Reads a JSON file, or standard input for `-`, and says how to name it in messages. Rejects with `usage` when it cannot be read, and
 * with what `malformed` makes of it when it holds no JSON.
 */
export async function readJsonFile(
  file: string,
  malformed: (where: string, what: string) => CbrError,
): Promise<{ readonly name: string; readonly value: unknown }> {
  const name = file === '-' ? 'standard input' : displayText(file);
  const text = await readText(file, name);
  try {
    return { name, value: JSON.parse(text) };
  } catch (cause) {
    throw malformed(name, `is no JSON: ${displayText(messageOf(cause))}`);
  }
}

async function readText(file: string, name: string): Promise<string> {
  try {
    if (file !== '-') return readFileSync(file, 'utf8');
    const parts: Buffer[] = [];
    for await (const part of process.stdin) parts.push(part as Buffer);
    return Buffer.concat(parts).toString('utf8');
  } catch (cause) {
    throw new CbrError('usage', `cannot read ${name}: ${messageOf(cause)}`, {
      cause,
      hint: 'Name a file that can be read, or - for standard input.',
    });
  }
}
