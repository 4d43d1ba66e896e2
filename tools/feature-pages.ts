// Pages of documentation that contain parts from the folders of features, so that a feature's part goes with its folder.
import { globSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

/** The pages. `<!-- features: email.md -->` begins the place for the files `email.md` of the features. */
const pages = ['docs/guides/email.md'];
const place = /<!-- features: (?<part>[\w-]+\.md) -->\n[^]*?<!-- end -->/g;

/** The pages with their parts, by their paths from the root. */
export function assembledPages(root: string): [file: string, text: string][] {
  return pages.map((page) => [page, assembled(root, readFileSync(path.join(root, page), 'utf8'))]);
}

function assembled(root: string, page: string): string {
  return page.replaceAll(place, (_whole, part: string) => {
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
