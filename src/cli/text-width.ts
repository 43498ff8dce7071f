/** How much room text takes on a terminal, in columns. Text with control characters must be escaped before. */

const PLAIN = /^[\x20-\x7e]*$/;
/** Combining characters (variation selectors among them), joiners and direction marks. */
const NO_WIDTH = /\p{Mn}|\p{Me}|[\u200b-\u200f]/u;
/** East Asian wide and fullwidth characters, and the pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function characterWidth(character: string): number {
  return NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The beginning of a text that fits into `width` columns, in front of an ellipsis when something was cut off. */
export function shortenedEnd(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = '';
  let room = width - 1;
  for (const character of text) {
    room -= characterWidth(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The end of a text that fits into `width` columns, behind an ellipsis when something was cut off. */
export function shortenedFront(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const kept: string[] = [];
  let room = width - 1;
  for (const character of [...text].reverse()) {
    room -= characterWidth(character);
    if (room < 0) break;
    kept.push(character);
  }
  return `…${kept.reverse().join('')}`;
}
