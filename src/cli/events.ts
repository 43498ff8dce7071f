import { displayPath } from '../fs/index.js';
import type { ItemEvent, Listener } from '../snapshot/index.js';
import type { Output } from './output.js';
import { problemOf } from './problem.js';
import { rawField } from './raw-names.js';
import { ruleFields, ruleText } from './rule-text.js';
import { sizeText } from './sizes.js';

/** Shows what a running operation tells; `about` is what its errors are about. */
export function shownBy(output: Output, about: 'source' | 'target' | 'repository'): Listener {
  return (event) => {
    switch (event.type) {
      case 'progress':
        return output.progress(event);
      case 'problem':
        return output.problem(problemOf(event, about));
      case 'item':
        // What stays as it is would bury what does not.
        if (event.action === 'unchanged') return;
        return output.item(itemFields(event), () => itemLine(event));
    }
  };
}

export function itemFields({ action, path, bytes, rule }: ItemEvent): Readonly<Record<string, unknown>> {
  return {
    action,
    ...rawField('path', path),
    size: bytes,
    ...(rule === undefined ? {} : { rule: ruleFields(rule) }),
  };
}

const WORD_WIDTH = 'unchanged'.length;

export function itemLine({ action, path, bytes, rule }: ItemEvent): string {
  const size = bytes === undefined ? '' : `  (${sizeText(bytes)})`;
  const reason = rule === undefined ? '' : `  (${ruleText(rule)})`;
  return `${action.padEnd(WORD_WIDTH)}  ${displayPath(path)}${size}${reason}`;
}
