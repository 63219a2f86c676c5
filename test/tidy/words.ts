import { isTest, type SourceFile } from './files.ts'

interface Banned {
  what: RegExp
  instead: string
  where(file: SourceFile): boolean
}

const inCode = ({ path }: SourceFile) => /\.(ts|svelte)$/.test(path)
const inProduct = (file: SourceFile) => inCode(file) && !isTest(file)
const inPure = ({ path }: SourceFile) => /^(policy-gen|services\/model)\/.*\.ts$/.test(path)
const everywhere = ({ path }: SourceFile) => path !== 'package-lock.json'

// In pieces: this file is held to its own rules.
const word = (...pieces: string[]) => new RegExp(pieces.join(''))

export const BANNED: Banned[] = [
  { what: word('\\bas ', 'any\\b'), instead: 'say what it is, or `unknown` and look', where: inCode },
  {
    what: word('@ts-', '(ignore|nocheck)'),
    instead: 'mend the type; `@ts-expect-error` with the reason in a test of wrong use',
    where: inCode,
  },
  {
    what: word('\\bconsole', '\\.'),
    instead: 'return or throw what is to be said; only the command line prints',
    where: (file) => inProduct(file) && !file.path.startsWith('services/cli/'),
  },
  { what: word('\\bMath\\.', 'random\\b'), instead: 'take a source of randomness as an argument', where: inPure },
  { what: word('\\b(Date\\.', 'now\\(|new Date\\(\\))'), instead: 'take the time as an argument', where: inPure },
  {
    what: word('(^|[\\s\'"`(=:,])/(wo', 'rk|tm', 'p)/'),
    instead: 'no path of one machine: resolve from the repository, or ask os.tmpdir()',
    where: everywhere,
  },
  {
    what: word(
      'registry\\.npm',
      'js|npm',
      'js\\.org|py',
      'pi\\.org|files\\.python',
      'hosted|proxy\\.golang|crates',
      '\\.io\\b|deb\\.deb',
      'ian\\.org',
    ),
    instead: 'name no registry: its ordinary client knows it',
    where: everywhere,
  },
  {
    what: word('\u2014'),
    instead: 'a colon, a comma or a full stop',
    where: (file) => inProduct(file) || file.path.endsWith('.md'),
  },
]

/** Words that have no place in a file, each with what to write instead. */
export function bannedWords(file: SourceFile): string[] {
  const rules = BANNED.filter(({ where }) => where(file))
  return file.text
    .split('\n')
    .flatMap((line, index) =>
      rules
        .filter(({ what }) => what.test(line))
        .map(({ what, instead }) => `${file.path}:${index + 1} has "${what.exec(line)?.[0].trim()}": ${instead}`),
    )
}
