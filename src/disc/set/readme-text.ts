import type { DiscLabel } from '../label.js';

/** What a disc says to whoever finds it. `together`: which discs are needed to restore all that it is of, in words. */
export function readmeText(label: DiscLabel, together: string): string {
  const { set, number, volume, created, repository } = label;
  return `This disc is part of a backup. It was made by cbr on ${created.slice(0, 10)}.

  Set          ${set}
  Disc         ${number} (${together})
  Volume       ${volume}
  Repository   ${repository}

The files on it are cut into pieces, compressed and, unless the owner chose otherwise, encrypted. With the password they can be
had back, with nothing but this disc, the others of the set, and the program Node.js (version 18 or newer, https://nodejs.org).
The internet is not needed for anything else.


WHAT IS ON IT

Open a terminal in the folder of this disc:

  node restore/cbr-restore.mjs list

It asks for the password, the one that was in use when the disc was made, and lists the snapshots: the states of files and
folders that were kept.


GETTING FILES BACK

  node restore/cbr-restore.mjs restore latest --target /path/to/a/new/folder
  node restore/cbr-restore.mjs restore ID:/path/of/a/folder --target /path/to/a/new/folder

It says which other discs are needed, and asks for them. If you can, copy all discs of the set into folders of their own beside
each other: then nothing has to be asked. If there is one drive only, copy the file cbr-restore.mjs to the computer first, and run it
there, so that the disc can be taken out:

  node cbr-restore.mjs restore latest --target /path/to/a/new/folder --discs /path/of/the/drive

A disc that is lost costs the files on it, and no others.

Where cbr is installed, it reads discs and their images too:

  cbr -r disc:/path/of/this/disc snapshots


IS THE DISC STILL GOOD?

  sha256sum -c SHA256SUMS        (Linux; macOS: shasum -a 256 -c SHA256SUMS)

Each file should be OK. No password is needed for that.


IN TWENTY YEARS

All bytes on this disc are described in restore/format.md, a plain text. The folders here are those of such a repository; what the
discs of a set hold, copied into one folder, is one. The program beside that text is plain JavaScript that was written from it alone.
`;
}
