import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { samplesOf, sourceDir } from '../facts.ts'

/** The keys of a `log_format … escape=json` in a README, in their order. */
function keysOf(format: string): string[] {
  return [...format.matchAll(/"([a-z_]+)":/g)].map(([, key = '']) => key)
}

test.each([
  ['json.log', 0],
  ['stream.log', 1],
])('the README gives the format that wrote %s', (file, index) => {
  const readme = readFileSync(new URL('README.md', sourceDir('nginx')), 'utf8')
  const formats = [...readme.matchAll(/log_format cinch escape=json ([\s\S]*?);\n/g)].map(([, format = '']) => format)
  const samples = samplesOf('nginx').filter((sample) => sample.file === file)
  expect(samples.length).toBeGreaterThan(0)
  for (const { bytes } of samples) expect(Object.keys(JSON.parse(String(bytes)))).toEqual(keysOf(formats[index] ?? ''))
})
