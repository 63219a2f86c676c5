import { openCinch } from '../../../services/api/cinch.ts'
import { type Figure, format, median, type Part } from '../bench.ts'
import { DAY, insertDay } from '../graph.ts'

const REQUESTS = 20_000_000
const REPEATS = 3

/** All checks over a day of facts: what a service pays whenever it looks for findings. */
export const checks: Part = {
  name: 'checks',
  run: async ({ quick, withStore }) => {
    const requests = quick ? REQUESTS / 20 : REQUESTS
    return await withStore(async (store) => {
      await insertDay(store, requests)
      const cinch = await openCinch(store)
      const timed = async (work: () => Promise<unknown>) => {
        const started = performance.now()
        await work()
        return (performance.now() - started) / 1_000
      }
      const first = await timed(() => cinch.checks(DAY))
      const times: number[] = []
      for (let repeat = 0; repeat < REPEATS; repeat++) times.push(await timed(() => cinch.checks(DAY)))
      const { checks: found } = await cinch.checks(DAY)
      const counted = found.find(({ id }) => id === 'encrypted-hops')?.evidence.counts.met
      if (counted !== requests) throw new Error(`the checks count ${counted} requests instead of ${requests}`)
      const look = await timed(() => cinch.findings.look())
      return [
        {
          what: `all checks over a day of ${format(requests)} facts`,
          value: median(times),
          unit: 's',
          asked: 'at most 10',
        },
        { what: '  the first time in a process, which names all edges', value: first, unit: 's' },
        { what: '  with its findings kept', value: look, unit: 's' },
      ] satisfies Figure[]
    })
  },
}
