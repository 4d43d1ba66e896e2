/**
 * Code points of the longest password, which are at most 1,024 bytes: room for a passphrase, too short to flood the hasher
 * (NIST SP 800-63B-4 §3.1.1.2).
 */
export const maxPasswordLength = 256;
