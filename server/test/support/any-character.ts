import fc, { type Arbitrary } from 'fast-check';

const surrogates = 0x800;

/**
 * Any code point except surrogates: a unit for `fc.string()`. The unit `binary` of fast-check is the same, but builds a
 * table of all code points first, which takes a second in each process. As there, texts also include names such as
 * `__proto__`.
 */
export const anyCharacter: Arbitrary<string> = fc.nat(0x10ffff - surrogates).map(
  (number) => String.fromCodePoint(number < 0xd800 ? number : number + surrogates),
  // fast-check includes a well-known text if each of its characters can be traced back.
  (character) => {
    const point = typeof character === 'string' ? character.codePointAt(0) : undefined;
    if (point === undefined || String.fromCodePoint(point) !== character || !character.isWellFormed())
      throw new Error('not one character');
    return point < 0xd800 ? point : point - surrogates;
  },
);
