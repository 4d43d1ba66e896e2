// Files that contain parts from the folders of features, or name them, so that a feature's part goes with its folder.
import { existsSync, globSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

/** The pages. `<!-- features: email.md -->` begins the place for the files `email.md` of the features. */
const pages = [
  'docs/guides/add-an-application.md',
  'docs/guides/data-requests.md',
  'docs/guides/email.md',
  'docs/guides/integrate.md',
  'docs/guides/monitor.md',
  'docs/guides/openid-apps.md',
  'docs/guides/openid-products.md',
  'docs/guides/openid-web.md',
  'docs/guides/openid.md',
  'docs/guides/pages.md',
  'docs/guides/passkeys.md',
  'docs/project/asvs.md',
  'docs/project/conformance.md',
  'docs/project/oauth.md',
  'docs/reference/clients.md',
  'docs/reference/oidc.md',
];
const place = /<!-- features: (?<part>[\w-]+\.md) -->\n[^]*?<!-- end -->/g;

/** A row of docs/project/asvs.md, and one of the table of its sums. */
const asvsRow = /^(?<row>\| \d+\.\d+\.\d+ \| \d \| [^|]+ \|) \*\*(?<kind>\w+)\*\* (?<answer>[^|]*) \|$/;
const asvsSum = /^(\| \*\*(\w+)\*\* \| [^|]+ \| )\d+ \|$/;

/** Names features and their tests, one in a line. */
const areas = 'mutate/areas.mjs';
const areasLine = /^ +'(?:src\/)?features\/(?<feature>[\w-]+)(?:\/[\w/-]+)?',$/;

/** The pages with their parts, by their paths from the root, and the areas of mutation testing. */
export function assembledPages(root: string): [file: string, text: string][] {
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  return [
    ...pages.map((page): [string, string] => [page, assembled(root, read(page))]),
    [areas, withoutLostAreas(root, read(areas))],
  ];
}

function assembled(root: string, page: string): string {
  return withoutLostFeatures(root, page).replaceAll(place, (_whole, part: string) => {
    const texts = globSync(`server/src/features/*/${part}`, { cwd: root })
      .toSorted()
      .map((file) => readFileSync(path.join(root, file), 'utf8'));
    return [`<!-- features: ${part} -->\n`, ...texts, '<!-- end -->'].join('\n');
  });
}

/** Removes the pictures of emails and pages that no guide shows, as those of a feature that was deleted. */
export function removeLostPictures(root: string): void {
  for (const name of ['email', 'pages']) {
    const page = readFileSync(path.join(root, `docs/guides/${name}.md`), 'utf8');
    const folder = path.join(root, 'docs/guides', name);
    for (const picture of readdirSync(folder))
      if (!page.includes(`(${name}/${picture})`)) rmSync(path.join(folder, picture));
  }
}

function exists(root: string, feature: string): boolean {
  return existsSync(path.join(root, 'server/src/features', feature));
}

/** Drops the lines that name a feature that is gone. */
function withoutLostAreas(root: string, text: string): string {
  return text
    .split('\n')
    .filter((line) => {
      const { feature } = areasLine.exec(line)?.groups ?? {};
      return feature === undefined || exists(root, feature);
    })
    .join('\n');
}

/**
 * Drops what rows of tables say of the files of a feature that is gone: the clause that names it, or the row of a table
 * that has no answers. An answer of ASVS with no test left waits for another one.
 */
function withoutLostFeatures(root: string, page: string): string {
  const isLost = (text: string): boolean =>
    [...text.matchAll(/server\/src\/features\/([\w-]+)/g)].some(([, feature = '']) => !exists(root, feature));
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
