/** Which names may be given to something in the target. A snapshot may hold any bytes, also such as an enemy has chosen. */

const RESERVED_ON_WINDOWS = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])($|[ .:])/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows refuses them in names
const REFUSED_ON_WINDOWS = /[<>:"/\\|?*\u0000-\u001f]|[ .]$/;

/** What is wrong with a name; undefined if it can be used there. */
export function nameProblem(name: Buffer, platform: NodeJS.Platform): string | undefined {
  const text = name.toString('latin1');
  if (text === '' || text === '.' || text === '..' || /[/\0]/.test(text)) {
    return 'its name would lead out of its folder';
  }
  if (platform !== 'win32') return undefined;
  const decoded = name.toString('utf8');
  if (!Buffer.from(decoded).equals(name)) return 'its name is not UTF-8, which Windows cannot keep';
  if (RESERVED_ON_WINDOWS.test(decoded) || REFUSED_ON_WINDOWS.test(decoded))
    return 'Windows does not allow its name';
  return undefined;
}
