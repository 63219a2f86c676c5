import type { Cinch } from '../../services/api/cinch.ts'
import { inputOf } from '../../services/collector/input/input.ts'
import { CLUSTERS, type Cluster, shopObjects, shopScenario, type Truth, toYaml } from './shop.ts'

const SEED = 7
/** Lines are handed over as files of this size. */
const FILE_BYTES = 48 << 20
const HOUR_MS = 3_600_000

/** Loads the shop's objects and access log as an operator would; `end` is rounded down to the hour. Gives the ground truth. */
export async function loadShop(
  cinch: Cinch,
  options: { requests: number; days: number; end: Date; seed?: number },
): Promise<Truth> {
  for (const cluster of CLUSTERS) {
    const objects = Buffer.from(toYaml(shopObjects(cluster)))
    await cinch.ingest(
      'kubernetes-objects',
      cluster,
      await inputOf(`objects of ${cluster}`, once(objects), objects.length),
    )
  }
  const { requests, days, end, seed = SEED } = options
  const hour = new Date(Math.floor(end.getTime() / HOUR_MS) * HOUR_MS)
  return await sendLines(cinch, shopScenario({ seed, end: hour, days, requests, bothSides: 0 }))
}

async function sendLines(cinch: Cinch, scenario: ReturnType<typeof shopScenario>): Promise<Truth> {
  const waiting = new Map<Cluster, Buffer[]>()
  let sending: Promise<unknown> = Promise.resolve()
  const send = async (cluster: Cluster) => {
    const lines = Buffer.concat(waiting.get(cluster) ?? [])
    waiting.delete(cluster)
    // One is on its way while the next is made: the generator and the engine each have a core. As a file, which may take as
    // long as the machine is slow: a sender would hear after some seconds that it is to come again.
    await sending
    sending = inputOf(`access log of ${cluster}`, once(lines), 0).then(
      async (input) => await cinch.ingest('istio-json', cluster, input),
    )
    sending.catch(() => {})
  }
  for (let next = scenario.next(); ; next = scenario.next()) {
    if (next.done) {
      for (const cluster of [...waiting.keys()]) await send(cluster)
      await sending
      return next.value
    }
    const { cluster, bytes } = next.value
    const buffers = [...(waiting.get(cluster) ?? []), bytes]
    waiting.set(cluster, buffers)
    if (buffers.reduce((total, buffer) => total + buffer.length, 0) >= FILE_BYTES) await send(cluster)
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
