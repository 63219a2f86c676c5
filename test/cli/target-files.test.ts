import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { POLICY_FILE } from '../../policy-gen/replay/formats.ts'
import { targets } from '../../policy-gen/targets/index.ts'
import { readFiles, writeFiles } from '../../services/cli/policy-files.ts'
import { randomOperations } from '../policy-gen/random.ts'
import { inventoryOf, WINDOW } from '../policy-gen/support.ts'

test.each(targets)('what $id writes is read back whole, and is known for policies', (target) => {
  const operations = randomOperations(3, 30)
  const { files } = generate(operations, inventoryOf(operations), target, { window: WINDOW })
  const dir = mkdtempSync(join(tmpdir(), 'cinch-targets-'))
  try {
    writeFiles(dir, files)
    const byPath = (list: typeof files) => list.map(({ path, content }) => [path, content]).sort()
    // Lines of the network tier are for people and firewalls; no policy is read from them.
    const read = files.filter(({ path }) => path !== 'network-tier.txt')
    expect(byPath(readFiles(dir))).toEqual(byPath(read))
    expect(files.some(({ path }) => POLICY_FILE.test(path))).toBe(true)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
