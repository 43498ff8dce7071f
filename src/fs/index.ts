export { openBlockDevice, statBlockDevice } from './block-device.js';
export { dataExtents, type Extent, SMALLEST_HOLE } from './data-extents.js';
export {
  compileRules,
  type EntryFilter,
  type FolderPatterns,
  folderPatterns,
  type NamedAttribute,
} from './entry-filter.js';
export type { DeviceNumber, EntryMetadata, FileTime } from './entry-metadata.js';
export { checkEntryName, isEntryName } from './entry-name.js';
export { ENTRY_TYPES, type EntryType, entryTypeOf, MODE_BITS, TYPE_BITS, TYPE_MODES } from './entry-type.js';
export { FileError, reasonOf } from './file-error.js';
export { type FileSystem, fileSystemOf } from './file-system.js';
export {
  CACHE_TAG,
  type FilterRule,
  type FilterRules,
  NO_RULES,
  type PatternRule,
  type PresenceRule,
  rulesKey,
  type SizeRule,
  type XattrRule,
} from './filter-rules.js';
export { identitiesUpFrom, identityOf, identityOfFolder, realPath } from './folder-identity.js';
export { type Followed, followLink } from './follow-link.js';
export { type FreeSpace, freeSpaceAt } from './free-space.js';
export { inodeFlags, NODUMP_FLAG, RESTORABLE_FLAGS } from './inode-flags.js';
export { type FolderListing, listFolder, lookAtNames } from './list-folder.js';
export { withShortPath } from './long-path.js';
export { ALL_METADATA, type MetadataChoice } from './metadata-choice.js';
export { MetadataWriter } from './metadata-writer.js';
export { mountOf } from './mounts.js';
export { missingAbilities } from './native.js';
export { openFileLimit } from './open-files.js';
export { giveBackMode, lacksOwnerRights, openEntryToOwner, openToOwner } from './owner-access.js';
export { Owners } from './owners.js';
export { compilePathPatterns, type PathPatterns, type PathRange } from './path-patterns.js';
export { regexFault } from './path-regex.js';
export { patternFault } from './pattern-fault.js';
export { isPattern, patternLines } from './pattern-list.js';
export { openPipe } from './pipe.js';
export type { Problem } from './problem.js';
export {
  absoluteRaw,
  baseName,
  displayPath,
  joinRaw,
  type NodePath,
  parentPath,
  type RawPath,
  rawPath,
  storedRaw,
  toNodePath,
} from './raw-path.js';
export { openReplacing, type ReplacingFile } from './replacing-file.js';
export { isSameInode, isStill, lookAt, lookAtOpen, type SeenEntry } from './seen-entry.js';
export { openSource, openSourceFolder, readBeginning, readLink } from './source-file.js';
export { type Follow, pathWithoutSymlinks } from './source-path.js';
export { statFd, statPath } from './stat.js';
export { STAT_CHANGE_BYTES, STAT_ROW_BYTES, StatTable } from './stat-table.js';
export { hardLink, makeSpecial, makeSymlink } from './target-entry.js';
export {
  existingType,
  makeFolder,
  openFolder,
  openTarget,
  TargetFolder,
  type TargetFolderHandle,
} from './target-folder.js';
export { isFilled, namesIn, removeEmptyFolder, removeEntry, restoreTime } from './target-removal.js';
export {
  FILLED_FOLDER,
  moveAside,
  type Replaced,
  replaceByFile,
  replaceByLink,
  replaceByOther,
} from './target-replace.js';
export {
  commit,
  createTemporary,
  discard,
  isTemporaryName,
  leftoverBytes,
  nameNew,
  removeLeftovers,
  type TemporaryFile,
} from './temporary-file.js';
export { hasUnfinished, leaveUnfinished, openUnfinished, unfinishedName } from './unfinished-file.js';
export { readXattrs, readXattrsIn, readXattrsOfPath, type Xattr } from './xattrs.js';
