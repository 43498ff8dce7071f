// @ts-check
/**
 * For `node --require`: names that end with `.test`, which belong to nobody (RFC 6761), are those of this machine. Asking the
 * system would need its configuration changed.
 */
const dns = require('node:dns');

const { lookup } = dns;

// @ts-expect-error it has many forms, of which connections use this one
dns.lookup = (hostname, options, callback) => {
  // @ts-expect-error likewise
  lookup(hostname.endsWith('.test') ? '127.0.0.1' : hostname, options, callback);
};
