import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ENVOY_VERSION } from '../setup.ts'
import { expectedOf } from './expect.ts'
import { record } from './record.ts'
import { samplesOf } from './samples.ts'

const SOURCES = join(import.meta.dirname, '../../../services/collector/sources')

/** Writes the samples of `envoy-als` and `otlp-logs`, what is expected of them, and the proxies' own JSON logs of the same requests. */
async function write(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-record-'))
  try {
    const recording = await record(dir)
    for (const [source, files] of Object.entries(samplesOf(recording))) {
      mkdirSync(join(SOURCES, source, 'samples'), { recursive: true })
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(SOURCES, source, 'samples', name), bytes)
      const expected = expectedOf(recording, source).map((fact) => `${JSON.stringify(fact)}\n`)
      writeFileSync(join(SOURCES, source, 'expected.jsonl'), expected.join(''))
    }
    const logs = join(import.meta.dirname, 'recorded')
    mkdirSync(logs, { recursive: true })
    for (const [format, byProxy] of [
      ['log', recording.logs],
      ['text.log', recording.texts],
    ] as const)
      for (const [proxy, lines] of Object.entries(byProxy))
        writeFileSync(join(logs, `${proxy}.${format}`), lines.map((line) => `${line}\n`).join(''))
    console.log(`recorded from Envoy ${ENVOY_VERSION}`)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

await write()
