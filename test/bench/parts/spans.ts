import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCinch } from '../../../services/api/cinch.ts'
import { openInput } from '../../../services/collector/input/input.ts'
import { format, median, type Part } from '../bench.ts'
import { spanRequests } from '../spans.ts'

/** OTLP spans from a file, stored and paired into calls. */
export const spans: Part = {
  name: 'spans',
  run: async ({ dir, quick, turns, withStore }) => {
    const count = quick ? 50_000 : 500_000
    const bytes = spanRequests(count)
    const file = join(dir, 'spans.pb')
    writeFileSync(file, bytes)
    const rates: number[] = []
    for (let turn = 0; turn < turns; turn++) {
      const seconds = await withStore(async (store) => {
        const cinch = await openCinch(store)
        const started = performance.now()
        const result = await cinch.ingest('otlp-traces', '', await openInput(file))
        if (result.accepted !== count) throw new Error(`${result.accepted} of ${count} spans were stored`)
        return (performance.now() - started) / 1000
      })
      rates.push(count / seconds)
      console.log(`OTLP protobuf: ${format(count / seconds)} spans/s`)
    }
    const what = `OTLP protobuf from a file (${Math.round(bytes.length / count)} bytes a span), stored and paired`
    return [{ what, value: median(rates), unit: 'spans/s' }]
  },
}
