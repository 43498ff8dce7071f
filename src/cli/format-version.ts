/** The version of the repository format that this program writes (docs/format.md). */
export const FORMAT_VERSION = 0;
