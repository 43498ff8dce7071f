/** What --help prints. */
export const HELP = `Restores files from the backup discs of cbr, with nothing but Node.js 18 or newer.

  node cbr-restore.mjs list                                         the discs in reach and their snapshots
  node cbr-restore.mjs restore SNAPSHOT[:PATH] --target DIR         restore a snapshot, or a part of it

  SNAPSHOT             an id as list shows it or the beginning of one, or latest (latest~1: the one before)
  PATH                 absolute, as it was then: latest:/home/ann/letters

  --target DIR         where to; a new or an empty folder. Nothing that exists is ever touched
  --discs DIR...       where discs are mounted, or where copies of discs or a repository lie, each in a folder
                       of its own or several in one
  --password-file FILE read the password from a file (or CBR_PASSWORD_FILE, or CBR_PASSWORD; else it is asked for)
  --verbose            name every path of which something was not kept, not the first ones only
  --help, --version

Discs are looked for in this order: the folders given, the disc this program lies on, the current folder and the
folders in it, and beside that disc. What they hold is put together, so that all discs can be in reach at once, or
one after the other: on a terminal it asks for each disc that is needed. Copy this program to your disk first if you
have one drive only. What is on a disc that is not there, or damaged, is listed at the end; everything else is restored.

Each piece is verified before it is used. Rights, times (to the microsecond), symlinks and hard links are restored;
owners, by their numbers, if root runs this. What Node has no means for (extended attributes, ACLs, device files) is
listed. What is not whole yet, and copies of trees while discs are changed, lie in a folder .cbr-restore-* in the
target: remove it after a run that was killed.

Exit codes: 0 all is restored, 1 something could not be made here, 2 usage, 4 something is damaged or on a disc that
was not there, 10 no disc, 12 wrong password, 130 interrupted.

The format of the discs is described in docs/format.md of cbr.`;
