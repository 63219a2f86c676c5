import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CLUSTERS, type ShopOptions, shopObjects, shopPolicies, shopScenario, type Truth, toYaml } from './shop.ts'

/**
 * Writes a scenario into `directory` (made when missing): `access-<cluster>.log`, `objects-<cluster>.yaml`,
 * `pods-<cluster>.yaml` (the objects with their Pods), `policies.yaml` and `truth.json`. Returns the ground truth.
 */
export function writeScenario(directory: string, options: ShopOptions): Truth {
  const batches = shopScenario(options)
  mkdirSync(directory, { recursive: true })
  const at = (name: string) => join(directory, name)
  const logs = new Map(CLUSTERS.map((cluster) => [cluster, openSync(at(`access-${cluster}.log`), 'w')]))
  try {
    let step = batches.next()
    while (!step.done) {
      writeAll(logs.get(step.value.cluster), step.value.bytes)
      step = batches.next()
    }
    for (const cluster of CLUSTERS) {
      writeFileSync(at(`objects-${cluster}.yaml`), toYaml(shopObjects(cluster)))
      writeFileSync(at(`pods-${cluster}.yaml`), toYaml(shopObjects(cluster, { pods: true })))
    }
    writeFileSync(at('policies.yaml'), toYaml(shopPolicies()))
    writeFileSync(at('truth.json'), `${JSON.stringify(step.value, null, 2)}\n`)
    return step.value
  } finally {
    for (const file of logs.values()) closeSync(file)
  }
}

/** A write may take less than it was given. */
function writeAll(file: number | undefined, bytes: Buffer): void {
  if (file === undefined) throw new Error('scenario: a line belongs to an unknown cluster')
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
}

const USAGE = `usage: write.ts DIRECTORY [--seed 1] [--days 14] [--requests 100000] [--end 2026-11-08T00:00:00Z]
                [--both-sides 0.05] [--format recommended|default]`

function main(args: string[]): number {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        days: { type: 'string', default: '14' },
        requests: { type: 'string', default: '100000' },
        end: { type: 'string', default: '2026-11-08T00:00:00Z' },
        'both-sides': { type: 'string', default: '0.05' },
        format: { type: 'string', default: 'recommended' },
      },
    })
    const [directory, ...rest] = positionals
    if (!directory || rest.length > 0) throw new RangeError('one directory is expected')
    const truth = writeScenario(directory, {
      seed: Number(values.seed),
      days: Number(values.days),
      requests: Number(values.requests),
      end: new Date(values.end),
      bothSides: Number(values['both-sides']),
      format: values.format as 'recommended',
    })
    const { calls_total, lines, calls } = truth
    console.log(`${directory}: ${calls_total} calls of ${calls.length} operations; lines ${JSON.stringify(lines)}`)
    return 0
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return 2
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2))
