// Pages of documentation that contain parts from the folders of features, so that a feature's part goes with its folder.
import { existsSync, globSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

/** The pages. `<!-- features: email.md -->` begins the place for the files `email.md` of the features. */
const pages = [
  'docs/guides/email.md',
  'docs/guides/monitor.md',
  'docs/project/asvs.md',
  'docs/project/conformance.md',
];
const place = /<!-- features: (?<part>[\w-]+\.md) -->\n[^]*?<!-- end -->/g;

/** A row of docs/project/asvs.md, and one of the table of its sums. */
const asvsRow = /^(?<row>\| \d+\.\d+\.\d+ \| \d \| [^|]+ \|) \*\*(?<kind>\w+)\*\* (?<answer>[^|]*) \|$/;
const asvsSum = /^(\| \*\*(\w+)\*\* \| [^|]+ \| )\d+ \|$/;

/** The pages with their parts, by their paths from the root. */
export function assembledPages(root: string): [file: string, text: string][] {
  return pages.map((page) => [page, assembled(root, readFileSync(path.join(root, page), 'utf8'))]);
}

function assembled(root: string, page: string): string {
  return withoutLostFeatures(root, page).replaceAll(place, (_whole, part: string) => {
    const texts = globSync(`server/src/features/*/${part}`, { cwd: root })
      .toSorted()
      .map((file) => readFileSync(path.join(root, file), 'utf8'));
    return [`<!-- features: ${part} -->\n`, ...texts, '<!-- end -->'].join('\n');
  });
}

/** Removes the pictures of emails that no page shows, as those of a feature that was deleted. */
export function removeLostPictures(root: string): void {
  const page = readFileSync(path.join(root, 'docs/guides/email.md'), 'utf8');
  const folder = path.join(root, 'docs/guides/email');
  for (const picture of readdirSync(folder))
    if (!page.includes(`(email/${picture})`)) rmSync(path.join(folder, picture));
}

/**
 * Drops what rows of tables say of the files of a feature that is gone: the clause that names it, or the row of a table
 * that has no answers. An answer of ASVS with no test left waits for another one.
 */
function withoutLostFeatures(root: string, page: string): string {
  const isLost = (text: string): boolean =>
    [...text.matchAll(/server\/src\/features\/([\w-]+)/g)].some(
      ([, feature = '']) => !existsSync(path.join(root, 'server/src/features', feature)),
    );
  const lines = page.split('\n').flatMap((line) => {
    if (!line.startsWith('| ') || !isLost(line)) return [line];
    const { row, kind, answer } = asvsRow.exec(line)?.groups ?? {};
    if (row === undefined || answer === undefined) return [];
    const kept = answer.split('; ').filter((clause) => !isLost(clause));
    const hasTest = kept.some((clause) => /\.(?:test|system)\.ts`/.test(clause));
    return [
      hasTest
        ? `${row} **${kind}** ${kept.join('; ')} |`
        : `${row} **Waits** The feature that met it is gone |`,
    ];
  });
  return lines
    .map((line) =>
      line.replace(asvsSum, (_whole, start: string, kind: string) => {
        const rows = lines.filter((one) => asvsRow.exec(one)?.groups?.['kind'] === kind).length;
        return `${start}${rows} |`;
      }),
    )
    .join('\n');
}
