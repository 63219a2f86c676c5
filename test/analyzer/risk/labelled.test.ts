import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SHARED_DATA } from '../../requirements.ts'
import { alarms, judgeRecording, quality } from './behaviour.ts'

test.skipIf(!existsSync(SHARED_DATA))(
  'strangers among labelled sessions are found, at the false alarms that are announced',
  () => {
    const recording = judgeRecording()
    const scored = recording.blocks.map(({ judged, isStranger }) => ({ score: judged.whole.nats, isStranger }))
    expect([scored.length, scored.filter(({ isStranger }) => isStranger).length]).toEqual([1_000, 100])
    const { averagePrecision, truePositiveRate } = quality(scored, 0.01)
    expect(averagePrecision).toBeGreaterThanOrEqual(0.72)
    expect(truePositiveRate).toBeGreaterThanOrEqual(0.45)
    expect(alarms(recording, 0.01).false).toBeLessThan(0.02)
    expect(alarms(recording, 0.05).false).toBeLessThan(0.1)
  },
)

test('average precision and rates are those of the definition', () => {
  const ranked = [true, false, true, false].map((isStranger, at) => ({ score: -at, isStranger }))
  expect(quality(ranked, 0)).toEqual({ averagePrecision: (1 + 2 / 3) / 2, truePositiveRate: 0.5, strangers: 2 })
  expect(quality(ranked, 0.5).truePositiveRate).toBe(1)
})
