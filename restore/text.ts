/** How things are written for people. */

/** Bytes of a name or a path, with what could steer a terminal written as \xNN. */
export function shown(name: Uint8Array | string): string {
  const text = typeof name === 'string' ? name : new TextDecoder().decode(name);
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** Date and time in the zone of whoever took the snapshot. `zoneOffset` in minutes east of UTC. */
export function timeText(seconds: number, zoneOffset: number): string {
  const local = new Date((seconds + 60 * zoneOffset) * 1000);
  if (Number.isNaN(local.getTime())) return `@${seconds}`;
  return local.toISOString().slice(0, 19).replace('T', ' ');
}
