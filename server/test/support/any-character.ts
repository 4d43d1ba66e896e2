import fc, { type Arbitrary } from 'fast-check';

const surrogates = 0x800;

/**
 * Any code point: the unit of texts of any characters. The unit `binary` of fast-check stands for the same, but first
 * writes a table of all of them, which takes a second in each process.
 */
export const anyCharacter: Arbitrary<string> = fc
  .nat(0x10ffff - surrogates)
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + surrogates));
