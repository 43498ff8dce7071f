import { toHex } from '../core/index.js';
import { RawText } from '../snapshot/index.js';
import { rawField, rawListField } from './raw-names.js';

/** Stored records as JSON: bytes in hexadecimal, raw names exact as everywhere (docs/json.md). */
export function readableJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (ArrayBuffer.isView(value)) return [...(value as unknown as Iterable<unknown>)];
  if (Array.isArray(value)) return value.map(readableJson);
  if (value === null || typeof value !== 'object') return value;
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) Object.assign(fields, readableField(name, field));
  return fields;
}

function readableField(name: string, field: unknown): Readonly<Record<string, unknown>> {
  if (field instanceof RawText) return rawField(name, field.raw);
  if (Array.isArray(field) && field.length > 0 && field.every((each) => each instanceof RawText)) {
    return rawListField(
      name,
      field.map(({ raw }) => raw),
    );
  }
  return { [name]: readableJson(field) };
}

/** What fits so in one line is not spread over several. */
const LINE = 100;

/** JSON for people: small things in one line each, and nothing in it can steer a terminal. */
export function jsonText(value: unknown, indent = ''): string {
  const line = safely(JSON.stringify(value));
  const isNested = typeof value === 'object' && value !== null;
  if (!isNested || (line.length <= LINE && indent !== '')) return line;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => `${deeper}${jsonText(item, deeper)}`);
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`;
  }
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => `${deeper}${JSON.stringify(name)}: ${jsonText(field, deeper)}`);
  return fields.length === 0 ? '{}' : `{\n${fields.join(',\n')}\n${indent}}`;
}

/** What JSON leaves as it is and a terminal might obey: as escapes of JSON. */
function safely(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (unsafe) => {
    return `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
