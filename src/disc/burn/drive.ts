/** How xorriso calls a drive: what is no burner by its name it is to treat as a file. */
export function driveName(device: string): string {
  return /^\/dev\/(sr|scd|cd|dvd|cdrom|cdrw|cdwriter|dvdrw|bd|bdrw|sg)[0-9]*$/.test(device)
    ? device
    : `stdio:${device}`;
}
