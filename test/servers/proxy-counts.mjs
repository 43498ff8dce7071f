// @ts-check
/** Which operation of S3 a request is, and how many of each there were. */

/**
 * @typedef {{requests: number, bytesUp: number, bytesDown: number}} OperationCounts  Bytes of bodies, without headers.
 * @typedef {{
 *   connections: number,
 *   requests: number,
 *   bytesUp: number,
 *   bytesDown: number,
 *   methods: Record<string, number>,
 *   operations: Record<string, OperationCounts>,
 *   faults: Record<string, number>,
 * }} ProxyCounts
 */

/** @returns {ProxyCounts} */
export function noCounts() {
  return { connections: 0, requests: 0, bytesUp: 0, bytesDown: 0, methods: {}, operations: {}, faults: {} };
}

/** @type {readonly (readonly [method: string, parameter: string, operation: string])[]} */
const BY_PARAMETER = [
  ['GET', 'list-type', 'ListObjectsV2'],
  ['GET', 'versions', 'ListObjectVersions'],
  ['GET', 'uploads', 'ListMultipartUploads'],
  ['GET', 'uploadId', 'ListParts'],
  ['GET', 'location', 'GetBucketLocation'],
  ['GET', 'versioning', 'GetBucketVersioning'],
  ['PUT', 'versioning', 'PutBucketVersioning'],
  ['GET', 'object-lock', 'GetObjectLockConfiguration'],
  ['PUT', 'object-lock', 'PutObjectLockConfiguration'],
  ['GET', 'retention', 'GetObjectRetention'],
  ['PUT', 'retention', 'PutObjectRetention'],
  ['GET', 'policy', 'GetBucketPolicy'],
  ['PUT', 'policy', 'PutBucketPolicy'],
  ['PUT', 'uploadId', 'UploadPart'],
  ['POST', 'uploads', 'CreateMultipartUpload'],
  ['POST', 'uploadId', 'CompleteMultipartUpload'],
  ['DELETE', 'uploadId', 'AbortMultipartUpload'],
  ['POST', 'delete', 'DeleteObjects'],
  ['POST', 'restore', 'RestoreObject'],
];

/** @type {Readonly<Record<string, readonly [bucket: string, object: string]>>} */
const BY_METHOD = {
  GET: ['ListObjects', 'GetObject'],
  HEAD: ['HeadBucket', 'HeadObject'],
  PUT: ['CreateBucket', 'PutObject'],
  DELETE: ['DeleteBucket', 'DeleteObject'],
};

/**
 * The operation's name in the API of S3, of a request in path style; the method where it is none that is known.
 * @param {string} method
 * @param {string} target path and query
 */
export function operationOf(method, target) {
  const [path = '', query = ''] = target.split('?', 2);
  const parameters = new URLSearchParams(query);
  const found = BY_PARAMETER.find(([its, parameter]) => its === method && parameters.has(parameter));
  if (found !== undefined) return found[2];
  const [, bucket = '', ...key] = path.split('/');
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : method;
  return BY_METHOD[method]?.[key.join('/') === '' ? 0 : 1] ?? method;
}
