import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { seeded } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'
import { drive } from './driver.ts'
import { type Lab, logLines, startLab } from './lab.ts'
import { objectsOf, openProduct, type Product } from './product.ts'
import { labBinary } from './setup.ts'
import { normalTraffic, picker } from './traffic.ts'

const REQUESTS = 210

describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('the same traffic in each format', () => {
  let dir: string
  let lab: Lab
  let product: Product

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-formats-'))
    lab = await startLab({ dir })
    product = await openProduct()
    const principals = lab.callers.map(({ principal }) => principal)
    await product.declare(objectsOf(lab.callee, principals))
    await drive(lab, normalTraffic(principals, picker(seeded(7)), REQUESTS))
  })
  afterAll(async () => {
    await lab?.stop()
    await product?.close()
    await rm(dir, { recursive: true, force: true })
  })

  /** The operations of one format, which is loaded as a cluster of its own. */
  const loaded = async (source: string, path: string): Promise<ObservedOperation[]> => {
    await logLines(path, REQUESTS)
    expect(await product.load(source, path, path)).toMatchObject({ accepted: REQUESTS, rejected: 0 })
    const { operations } = await product.cinch.operations({})
    return operations.filter(({ destination }) => destination.cluster === path)
  }

  test("the callee's default logs tell the same operations, and no identity", async () => {
    const { recommended, text, json } = lab.logs.callee
    const verified = await loaded('istio-json', recommended)
    expect(evidenceOf(verified)).toEqual(['verified'])
    for (const [source, path] of [
      ['istio-text', text],
      ['istio-json', json],
    ] as const) {
      const operations = await loaded(source, path)
      expect(evidenceOf(operations), source).toEqual(['none'])
      expect(operations.every(({ source: caller }) => caller.principal === '')).toBe(true)
      expect(operationsOf(operations), source).toEqual(operationsOf(verified))
    }
  })

  test("the callers' default logs are read without a reject", async () => {
    for (const [principal, { text, json }] of Object.entries(lab.logs.callers)) {
      for (const [source, path] of [
        ['istio-text', text],
        ['istio-json', json],
      ] as const) {
        const lines = (await logLines(path, 1)).length
        expect(await product.load(source, path, path), principal).toMatchObject({ accepted: lines, rejected: 0 })
      }
    }
  })
})

function evidenceOf(operations: readonly ObservedOperation[]): string[] {
  return [...new Set(operations.map(({ source }) => source.evidence))]
}

/** What was asked for, how often, by nobody in particular. */
function operationsOf(operations: readonly ObservedOperation[]): string[] {
  const counts = new Map<string, number>()
  for (const { destination, workloadPort, servicePort, method, path, pathFlags, requests, denied } of operations) {
    // The default formats write what a client may choose: that they do is no trait of the path.
    const flags = pathFlags.filter((flag) => flag !== 'claimed')
    const key = JSON.stringify([destination.id, servicePort, workloadPort, method, path, flags, denied])
    counts.set(key, (counts.get(key) ?? 0) + requests)
  }
  return [...counts].map(([key, requests]) => `${key} ${requests}`).sort()
}
