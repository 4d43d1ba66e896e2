// Maximum lengths of texts that are normalized.

/**
 * Maximum length of a password in code points, which are at most 1,024 bytes: long enough for a passphrase, too short to
 * overload the hasher (NIST SP 800-63B-4 §3.1.1.2).
 */
export const maxPasswordLength = 256;

/**
 * Maximum length of a password in UTF-16 code units, as typed. It is checked before the password is normalized, because
 * the time of normalization grows with the square of the length of combining marks (denial of service).
 */
export const maxPasswordUnits = 2 * maxPasswordLength;

/**
 * Maximum length of an address in UTF-16 code units, as typed: the longest address and some white space. It is checked
 * before the address is normalized, because the time of normalization grows with the square of the length of combining
 * marks (denial of service).
 */
export const maxEmailUnits = 300;

/** Maximum length of a name in UTF-16 code units, as typed: 200 code points. Checked before it is normalized, as above. */
export const maxNameUnits = 400;
