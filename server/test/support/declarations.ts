// Reads the declaration files of the package (.d.ts), as the compiler writes them: one statement per unindented line.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Names that a file declares, with the text of each, and where it imports others from. */
interface Declarations {
  readonly texts: ReadonlyMap<string, string>;
  readonly imports: ReadonlyMap<string, string>;
}

/** Reads a file without its comments, and declarations without their texts in quotes. */
function readDeclarations(path: string): Declarations {
  const text = readFileSync(path, 'utf8').replaceAll(/\/\*.*?\*\/|\/\/.*$/gms, '');
  const texts = new Map<string, string>();
  const imports = new Map<string, string>();
  for (const statement of text.split(/^(?=\w)/m)) {
    const from = /^(?:im|ex)port (?:type )?\{(?<names>[^}]*)\} from '(?<from>[^']+)'/.exec(statement)?.groups;
    if (from !== undefined) {
      const { names = '', from: source = '' } = from;
      for (const name of names.matchAll(/(?:type )?(\w+)(?: as \w+)?/g)) imports.set(name[1] ?? '', source);
      continue;
    }
    const named =
      /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const|enum) (\w+)/.exec(
        statement,
      );
    if (named?.[1] !== undefined) texts.set(named[1], statement.replaceAll(/'[^']*'/g, "''"));
  }
  return { texts, imports };
}

/** Reads the file that declares a name, which the given file may export from there. */
function readOwner(owner: string, file: string): Declarations {
  const read = readDeclarations(file.replace(/\.ts$/, '.d.ts'));
  const source = read.imports.get(owner);
  return read.texts.has(owner) || source === undefined ? read : readOwner(owner, join(dirname(file), source));
}

/** Returns the types in public signatures of an entry file that the file does not export, each with who uses it. */
export function missingExports(entry: string): string[] {
  const { imports: exported } = readDeclarations(entry);
  return [...exported].flatMap(([owner, source]) => {
    const { texts, imports } = readOwner(owner, join(dirname(entry), source));
    const text = texts.get(owner);
    if (text === undefined) return [`${owner} is not declared in ${source}`];
    const used = new Set(text.match(/\b[A-Z]\w*/g));
    return [...used]
      .filter((name) => name !== owner && (texts.has(name) || imports.get(name)?.startsWith('.') === true))
      .filter((name) => !exported.has(name))
      .map((name) => `${owner} uses ${name}`);
  });
}
