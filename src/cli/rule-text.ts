import { displayPath, type FilterRule } from '../fs/index.js';
import { rawField } from './raw-names.js';

/** A rule for people, as they find it again: `--exclude *.o`, `--ignore-file /src/.gitignore, line 3: *.o`. */
export function ruleText({ option, text, file, line }: FilterRule): string {
  const place =
    file === undefined ? '' : ` ${displayPath(file)}${line === undefined ? '' : `, line ${line}`}`;
  if (text === '') return `${option}${place}`;
  return `${option}${place}${place === '' ? ' ' : ': '}${displayPath(text)}`;
}

/** The same for programs (docs/json.md, "snapshot"). */
export function ruleFields({ option, text, file, line }: FilterRule): Readonly<Record<string, unknown>> {
  return {
    option,
    ...(text === '' ? {} : rawField('value', text)),
    ...(file === undefined ? {} : rawField('file', file)),
    line,
  };
}
