/**
 * Maximum length of a password in code points, which are at most 1,024 bytes: long enough for a passphrase, too short to
 * overload the hasher (NIST SP 800-63B-4 §3.1.1.2).
 */
export const maxPasswordLength = 256;
