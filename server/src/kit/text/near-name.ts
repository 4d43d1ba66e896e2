// Finds the name that a misspelled one is probably meant to be: of an option, a parameter or an event.

/** Some people write it in front of an option, which options do not have. */
export const productPrefix = 'BIENVENUE_';
/** Words that others use for one of ours. */
const synonyms: Readonly<Record<string, string>> = { FOLDER: 'DIR', DIRECTORY: 'DIR', PATH: 'DIR' };
/** The shortest name, without underscores, of which other spellings are looked for: SIGNUP. */
const minSpelled = 6;
/** In shorter names, such as HOST, one other letter makes a common word: POST. */
export const minCharacters = 7;
/** From this length on, two wrong letters still leave no doubt. */
const longCharacters = 10;

/** Returns the known name that a name is probably meant to be. Names of less than `min` characters are left alone. */
export function nearest(name: string, known: Iterable<string>, min = minCharacters): string | undefined {
  const candidates = [...known];
  if (name.startsWith(productPrefix)) {
    const bare = name.slice(productPrefix.length);
    const meant = candidates.includes(bare) ? bare : nearest(bare, candidates, min);
    if (meant !== undefined) return meant;
  }
  const spelled = spellingsOf(name, min);
  const other = candidates.find((each) => spellingsOf(each, min).some((text) => spelled.includes(text)));
  if (other !== undefined) return other;
  const near = nearestLetters(name.toUpperCase(), candidates, min);
  if (near !== undefined) return near;
  const [letters = ''] = spelled;
  const byLetters = new Map(candidates.map((each) => [spellingsOf(each, min)[0] ?? each, each]));
  return byLetters.get(nearestLetters(letters, byLetters.keys(), min) ?? '');
}

/** Returns what two spellings of one name share: the letters without underscores, and the words in any order. */
function spellingsOf(name: string, min: number): string[] {
  const words = name
    .toUpperCase()
    .split('_')
    .map((word) => synonyms[word] ?? word.replace(/IES$/, 'Y').replace(/(?<!S)S$/, ''));
  const letters = words.join('');
  return letters.length < Math.min(min, minSpelled) ? [] : [letters, words.toSorted().join('_')];
}

function nearestLetters(name: string, known: Iterable<string>, min: number): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    if (Math.min(name.length, candidate.length) < min) continue;
    const maxDistance = Math.min(name.length, candidate.length) < longCharacters ? 1 : 2;
    const distance = editDistance(name, candidate, maxDistance);
    if (distance <= maxDistance && distance < (best?.distance ?? Infinity))
      best = { name: candidate, distance };
  }
  return best?.name;
}

/**
 * Returns the number of letters that are missing, too many, wrong or swapped with their neighbor (optimal string
 * alignment distance); `maxDistance` + 1 if there are more than `maxDistance`.
 */
function editDistance(a: string, b: string, maxDistance: number): number {
  if (Math.abs(a.length - b.length) > maxDistance) return maxDistance + 1;
  let [before, last]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
        isSwap ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    // No later row can be less than the minimum of two rows.
    if (Math.min(...row, ...last) > maxDistance) return maxDistance + 1;
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
