import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { packageRoot } from '../services/store/root.ts'

/** The README's console blocks are run as they stand there, and print what they say; `…` stands for anything. */
const root = packageRoot()
const demo = mkdtempSync(join(tmpdir(), 'cinch-readme-'))
afterAll(() => rmSync(demo, { recursive: true, force: true }))

interface Step {
  command: string
  output: string
}

function steps(markdown: string): Step[] {
  const blocks = [...markdown.matchAll(/```console\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const [command = '', ...lines] = step.split('\n')
        return { command, output: lines.join('\n').trim() }
      }),
  )
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
/** `…` on a line of its own stands for any lines, elsewhere for the rest of a word or line. */
const pattern = (output: string) =>
  new RegExp(
    `^${output
      .split(/\n?…\n?/)
      .map(escaped)
      .join('[\\s\\S]*')}$`,
  )

test('the five minutes of the README print what it says', { timeout: 300_000 }, async () => {
  const exported: Record<string, string> = {}
  const all = steps(readFileSync(join(root, 'README.md'), 'utf8'))
  expect(all.length).toBeGreaterThan(8)
  for (const { command, output } of all) {
    const variable = /^export (\w+)=(.*)$/.exec(command)
    if (variable) {
      exported[variable[1] ?? ''] = (variable[2] ?? '').replace('./demo', demo)
      continue
    }
    const path = [join(root, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
    const { stdout } = await promisify(execFile)('bash', ['-o', 'pipefail', '-c', command.replaceAll('./demo', demo)], {
      cwd: root,
      env: { ...process.env, ...exported, PATH: path },
    })
    expect(stdout.replaceAll(demo, './demo').trim(), command).toMatch(pattern(output))
  }
})
